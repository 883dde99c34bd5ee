/**
 * What an answer of the DNS costs, beside knotd and named: CPU time of one process under dnsperf on loopback.
 *
 *     node bench/dns-beside-knot.ts [--rounds 5] [--seconds 4] [--only static,cached,steered,unit,flood]
 *
 * Needs knot, bind9 and dnsperf. Servers take their turns within a round, and the median of the rounds' ratios counts: on a shared machine the
 * figures of one moment are no measure for another's. A ratio of 0.5 is half of Knot's answers a CPU second.
 *
 * - static: A records of a zone of a thousand names, the whole chain with prometheus, errors and ready; no log.
 * - cached: the same questions to `cache` in front of `forward` to knotd.
 * - steered: `edge` with 20 nodes and 100,000 networks, clients told by EDNS Client Subnet.
 * - unit: a unit answers, in a node; its sandbox counts as well. 100 questions are outstanding.
 * - flood: how many good answers a CPU second are lost where as many malformed packets come beside them.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { mmdbWith } from '../test/harness/mmdb.ts'
import { cpuMicroseconds, processTree } from './peers/cpu.ts'
import { endBench } from './peers/ending.ts'
import { freePort } from './peers/free-port.ts'
import { median } from './peers/median.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    only: { type: 'string' },
  },
})
const seconds = Number(values.seconds)
const rounds = Number(values.rounds)
const wanted = values.only?.split(',')
const run = promisify(execFile)
const ORLA = fileURLToPath(new URL('../bin/orla', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'orla-bench-'))
const children: ChildProcess[] = []
const path = (name: string): string => join(folder, name)

const NAMES = 1000
writeFileSync(
  path('example.org'),
  [
    '$TTL 3600',
    '@ IN SOA ns1 admin 1 3600 600 86400 300',
    '@ IN NS ns1',
    'ns1 IN A 192.0.2.53',
    ...Array.from({ length: NAMES }, (_, i) => `host${i} IN A 192.0.${i >> 8}.${i & 255}`),
    '',
  ].join('\n'),
)
const queries = (line: (i: number) => string): string =>
  Array.from({ length: NAMES }, (_, i) => `${line(i)}\n`).join('')
writeFileSync(
  path('hosts'),
  queries((i) => `host${i}.example.org A`),
)
writeFileSync(
  path('cdn'),
  queries(() => 'cdn.example.org A'),
)
writeFileSync(
  path('unit'),
  queries((i) => `host${i}.unit.example.org A`),
)

interface Target {
  readonly name: string
  readonly port: number
  readonly pid: number
}

function start(command: string, args: readonly string[], more: { readonly cwd?: string } = {}): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], ...more })
  children.push(child)
  return child
}

/** The first line on stdout that `pattern` finds. */
function said(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stdout!.on('data', (piece: Buffer) => {
      text += piece.toString()
      const found = pattern.exec(text)
      if (found) resolve(found)
    })
    child.once('exit', () => reject(new Error(`it ended: ${text}`)))
  })
}

async function startKnot(): Promise<Target> {
  const port = await freePort()
  mkdirSync(path('knot'))
  writeFileSync(
    path('knot.conf'),
    `server:
    listen: 127.0.0.1@${port}
    rundir: ${path('knot')}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: ${path('knot')}
zone:
  - domain: example.org
    file: ${path('example.org')}
    journal-content: none
`,
  )
  const child = start('knotd', ['-c', path('knot.conf'), '-s', path('knot/sock')])
  return { name: 'knotd', port, pid: child.pid! }
}

async function startBind(): Promise<Target> {
  const port = await freePort()
  writeFileSync(
    path('named.conf'),
    `options { directory "${folder}"; pid-file none; session-keyfile "${path('session.key')}"; listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; };
controls {};
zone "example.org" { type primary; file "${path('example.org')}"; };
`,
  )
  const child = start('named', ['-f', '-n', '1', '-c', path('named.conf')])
  return { name: 'named', port, pid: child.pid! }
}

async function startOrla(name: string, corefile: string): Promise<Target> {
  mkdirSync(path(name))
  writeFileSync(path(`${name}/Corefile`), corefile)
  const child = start(ORLA, ['dns'], { cwd: path(name) })
  const [, port] = await said(child, /^ready dns=dns:\/\/127\.0\.0\.1:(\d+)$/m)
  return { name, port: Number(port), pid: child.pid! }
}

const block = (zone: string, lines: string): string => `${zone}:0 {
  bind 127.0.0.1
  errors
  prometheus 127.0.0.1:0
${lines}
}
`

function edgeLines(): string {
  const nodes = Array.from(
    { length: 20 },
    (_, i) =>
      `    node n${i} {\n      address 192.0.2.${i + 1}\n      location ${(i * 7) % 60} ${(i * 37) % 180}\n    }`,
  )
  writeFileSync(
    path('geo.mmdb'),
    mmdbWith(
      Array.from(
        { length: 100_000 },
        (_, i) =>
          [
            `${10 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.0/24`,
            { location: { latitude: ((i * 13) % 60) + 0.5, longitude: ((i * 29) % 180) + 0.5 } },
          ] as const,
      ),
      'GeoLite2-City',
    ),
  )
  return `  edge cdn.example.org {\n${nodes.join('\n')}\n    geo ${path('geo.mmdb')}\n    ecs any\n    ttl 30\n    filters up nearest weight first 2\n  }`
}

async function startNode(): Promise<Target> {
  mkdirSync(path('node'))
  writeFileSync(path('node/Corefile'), block('unit.example.org', '  unit'))
  writeFileSync(
    path('node/orla.config.json'),
    JSON.stringify({
      edge: { listen: '127.0.0.1:0' },
      control: { listen: '127.0.0.1:0', token: 'bench' },
      store: { path: 'data' },
      dns: { corefile: 'Corefile' },
    }),
  )
  writeFileSync(
    path('node/answers.ts'),
    `export default { hosts: ['*.unit.example.org'], dns: (query) => [{ type: 'A', data: '192.0.2.1', ttl: 60 }] }`,
  )
  const child = start(ORLA, ['start'], { cwd: path('node') })
  const [, control, port] = await said(child, /control=(\S+) dns=dns:\/\/127\.0\.0\.1:(\d+)/)
  await run(ORLA, ['deploy', path('node/answers.ts'), '--control', control!, '--token', 'bench'])
  return { name: 'unit', port: Number(port), pid: child.pid! }
}

/** Microseconds of CPU time an answer. */
async function measure({ port, pid }: Target, file: string, more: readonly string[] = []): Promise<number> {
  const before = cpuMicroseconds(processTree(pid))
  const common = `-s 127.0.0.1 -p ${port} -d ${path(file)} -l ${seconds} -c 4 -q 100`.split(' ')
  const { stdout } = await run('dnsperf', [...common, ...more])
  const cpu = cpuMicroseconds(processTree(pid)) - before
  const completed = Number(/Queries completed:\s+(\d+)/.exec(stdout)?.[1] ?? 0)
  const good = Number(/NOERROR (\d+)/.exec(stdout)?.[1] ?? 0)
  if (good < completed * 0.99) throw new Error(`answers are no answers:\n${stdout}`)
  return cpu / completed
}

/** Malformed packets, one for each good answer and more, until it is told to stop. */
function flood(port: number): () => void {
  const socket = createSocket('udp4')
  const packet = Buffer.concat([
    Buffer.from('123401000001000000000000', 'hex'),
    Buffer.from([63]),
    Buffer.alloc(40, 'a'),
  ])
  const state = { goesOn: true }
  const send = (): void => {
    if (!state.goesOn) {
      socket.close()
      return
    }
    for (let count = 0; count < 64; count++) socket.send(packet, port, '127.0.0.1')
    setImmediate(send)
  }
  socket.on('message', () => undefined)
  send()
  return () => {
    state.goesOn = false
  }
}

const shown = (us: readonly number[]): string => `${median(us).toFixed(2)} µs`.padStart(9)

/** Ratio of answers a CPU second, ours to Knot's, of each round. */
async function beside(
  title: string,
  ours: Target,
  file: string,
  more: readonly string[] = [],
): Promise<void> {
  const [ownUs, knotUs, ratios]: number[][] = [[], [], []]
  // Compiled, and what is kept is there.
  await measure(ours, file, more)
  for (let round = 0; round < rounds; round++) {
    const theirs = await measure(knot, 'hosts')
    const own = await measure(ours, file, more)
    knotUs!.push(theirs)
    ownUs!.push(own)
    ratios!.push(theirs / own)
  }
  const spread = `${Math.min(...ratios!).toFixed(2)} to ${Math.max(...ratios!).toFixed(2)}`
  console.log(
    `${title.padEnd(28)} ${shown(ownUs!)}   knotd ${shown(knotUs!)}   ratio ${median(ratios!).toFixed(2)} (${spread})`,
  )
}

const has = (name: string): boolean => wanted === undefined || wanted.includes(name)

const knot = await startKnot()
const bind = await startBind()
await sleep(2000)
try {
  console.log(
    `CPU time an answer, one process, ${rounds} rounds of ${seconds} s: the median, and the ratio of answers a CPU second`,
  )
  await beside('named, static', bind, 'hosts')
  if (has('static'))
    await beside(
      'static',
      await startOrla('static', block('.', `  file ${path('example.org')} example.org`)),
      'hosts',
    )
  if (has('cached'))
    await beside(
      'cached',
      await startOrla('cached', block('.', `  cache\n  forward . 127.0.0.1:${knot.port}`)),
      'hosts',
    )
  if (has('steered')) {
    const lines = `${edgeLines()}\n  file ${path('example.org')} example.org`
    // Of a network in the table: what dnsperf cannot vary within one run.
    const subnet = ['-E', '8:0001180010032a']
    await beside('steered', await startOrla('steered', block('.', lines)), 'cdn', subnet)
  }
  if (has('unit')) await beside('unit', await startNode(), 'unit')
  if (has('flood')) {
    const target = await startOrla('flood', block('.', `  file ${path('example.org')} example.org`))
    const losses: number[] = []
    for (let round = 0; round < rounds; round++) {
      const alone = await completedAlone(target)
      const stop = flood(target.port)
      const beside = await completedAlone(target)
      stop()
      losses.push(1 - beside / alone)
    }
    console.log(
      `flood: good answers lost beside malformed packets: ${(median(losses) * 100).toFixed(1)} % (of those that were asked)`,
    )
  }
} finally {
  await endBench(children, createServer().listen(0), folder)
}

/** The share of a paced load that is answered: what a flood takes from clients. */
async function completedAlone({ port }: Target): Promise<number> {
  const { stdout } = await run('dnsperf', [
    '-s',
    '127.0.0.1',
    '-p',
    String(port),
    '-d',
    path('hosts'),
    '-l',
    String(seconds),
    '-Q',
    '10000',
    '-c',
    '4',
    '-t',
    '1',
  ])
  return Number(/Queries completed:\s+\d+ \(([\d.]+)%\)/.exec(stdout)?.[1] ?? 0) / 100
}
