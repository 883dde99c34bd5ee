/**
 * CPU time of one invocation inside an isolate, crossing included, in batches of 1 and of 30.
 *
 *     node src/sandbox/guest/guest.bench.ts
 *
 * The floor beside it is a guest that reads the batch's lengths and answers `next` without making any object.
 */
import { invokeEntry, openGuest } from './guest.support.ts'
import type { Phase } from '../../contract/unit.ts'

const head = (target: string) =>
  `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1:19002\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nCookie: a=b; superstition=token\r\n`

const META = { client: { address: '127.0.0.1', port: 40_000, scheme: 'http' }, scheme: 'http' } as const

interface Case {
  readonly name: string
  readonly phases: readonly Phase[]
  readonly head: string
  readonly code: string
  readonly response?: string
}

const TOKEN_AUTH = `module.exports.default = {
  rewrite(request) { request.path = request.path.slice("/unit".length); },
  access(request, response) {
    const token = request.query.get("token") ?? request.cookies.get("superstition");
    if (token !== "token") return new Response("forbidden", { status: 403 });
    response.headers.append("set-cookie", "superstition=token");
  },
}`

const CASES: readonly Case[] = [
  { name: 'nothing', phases: ['access'], head: head('/'), code: 'module.exports.default = { access() {} }' },
  {
    name: 'token-auth, query',
    phases: ['rewrite', 'access'],
    head: head('/unit/small?token=token'),
    code: TOKEN_AUTH,
  },
  { name: 'token-auth, cookie', phases: ['rewrite', 'access'], head: head('/unit/small'), code: TOKEN_AUTH },
  {
    name: 'hello content',
    phases: ['content'],
    head: head('/content?name=orla'),
    code: `module.exports.default = { content(request) {
      return new Response("hello " + (request.query.get("name") ?? "edge"), { headers: { "content-type": "text/plain" } });
    } }`,
  },
  {
    name: 'headerFilter',
    phases: ['headerFilter'],
    head: head('/'),
    response: '200\ncontent-type: text/html\r\ncontent-length: 10\r\nserver: origin\r\n',
    code: `module.exports.default = { headerFilter(request, response) {
      if (response.status === 200 && response.headers.get("content-type") === "text/html") response.headers.set("x-frame-options", "DENY");
    } }`,
  },
  {
    name: 'fetch handler',
    phases: ['content'],
    head: head('/content?name=orla'),
    code: `module.exports.default = { fetch(request) { return new Response(new URL(request.url).pathname) } }`,
  },
  {
    name: 'async access',
    phases: ['access'],
    head: head('/'),
    code: 'module.exports.default = { async access(request) { await 1 } }',
  },
]

function cpuUs(): number {
  const usage = process.threadCpuUsage()
  return usage.user + usage.system
}

for (const { name, phases, head, code, response = '' } of CASES) {
  const guest = await openGuest(code)
  const isAsync = code.includes('async')
  const report: string[] = []
  for (const size of [1, 30]) {
    let batch = ''
    for (let id = 1; id <= size; id++) batch += invokeEntry(id, phases, { meta: META, head, response })
    const enter = (times: number) => {
      for (let i = 0; i < times; i++) {
        guest.enter(batch)
        if (isAsync) guest.enter('3 \n')
      }
    }
    enter(60_000 / size)
    const rounds: number[] = []
    for (let round = 0; round < 5; round++) {
      const times = 30_000 / size
      const before = cpuUs()
      enter(times)
      rounds.push((cpuUs() - before) / (times * size))
    }
    report.push(`batch of ${size}: ${rounds.toSorted((a, b) => a - b)[2]!.toFixed(2)} µs`)
  }
  process.stdout.write(`${name.padEnd(20)} ${report.join('   ')}\n`)
  guest.dispose()
}
