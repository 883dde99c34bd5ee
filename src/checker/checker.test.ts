import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { after, test } from 'node:test'
import { Checker, type CheckerOptions } from './checker.ts'
import { fixtureTypesDirectory } from './testing/types.ts'
import type { BuildRequest } from './protocol.ts'

const types = fixtureTypesDirectory()
const open: Checker[] = []
after(() => {
  for (const checker of open) checker.close()
  rmSync(types, { recursive: true })
})

function checker(options: CheckerOptions = {}): Checker {
  const made = new Checker({ types, ...options })
  open.push(made)
  return made
}
const unit = (source: string): BuildRequest => ({
  name: 'a',
  entry: 'a.ts',
  language: 'ts',
  files: { 'a.ts': source },
})
const GOOD = unit('export default { access(request) { request.path = "/x" } }')
const BAD = unit('export default { access(request) { request.path = 5 } }')
/** Types that take the checker minutes: four levels of a union distributed over itself. */
const ENDLESS = unit(`
type D = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9
type Deep<N extends number, A extends unknown[] = []> = A['length'] extends N ? A : Deep<N, [...A, D]>
type Mix<A, B> = A extends \`\${infer X}\${infer Y}\` ? (B extends \`\${X}\${infer Z}\` ? Mix<Y, Z> : Mix<Y, B>) : never
type S = \`\${D}\${D}\${D}\${D}\`
const [a, b, c, d]: [Mix<S, S>, Mix<S, \`\${S}0\`>, Mix<S, \`\${S}1\`>, Mix<S, \`\${S}2\`>] = []
export default { access() { a + b + c + d } }`)

/** For the tests that leave a good process behind: to warm one takes a while. */
const shared = checker({ onDeath: (message) => deaths.push(message) })
const deaths: string[] = []

test('builds come back in order, good and bad', async () => {
  const results = await Promise.all([GOOD, BAD, GOOD].map((request) => shared.build(request)))
  assert.deepEqual(
    results.map(({ ok }) => ok),
    [true, false, true],
  )
  assert.ok(results[0]!.ok && results[0]!.code.includes('module.exports'))
})

test('a process that is killed at rest is replaced, and the next build does not notice', async () => {
  await shared.start()
  const { pid } = shared
  globalThis.process.kill(pid!, 'SIGKILL')
  const result = await shared.build(GOOD)
  assert.equal(result.ok, true)
  assert.notEqual(shared.pid, pid)
  // Whether its end or its closed channel is noticed first is the kernel's choice.
  assert.equal(deaths.length, 1)
  assert.match(deaths[0]!, /^the checker ended: (?:SIGKILL|write EPIPE)$/)
})

test('a build whose process is killed under it is done by the next one, and so are those in line', async () => {
  await shared.start()
  const { pid } = shared
  const results = [GOOD, BAD, GOOD].map((request) => shared.build(request))
  globalThis.process.kill(pid!, 'SIGKILL')
  assert.deepEqual(
    (await Promise.all(results)).map(({ ok }) => ok),
    [true, false, true],
  )
})

test('where the bundler’s own process was killed, the next build does not notice', async () => {
  await shared.start()
  const children = readFileSync(`/proc/${shared.pid}/task/${shared.pid}/children`, 'utf8')
  const [bundler] = children.trim().split(' ').map(Number)
  globalThis.process.kill(bundler!, 'SIGKILL')
  assert.equal((await shared.build(GOOD)).ok, true)
})

test('a build whose process dies twice is given up, and the one in line behind it is not', async () => {
  const deaths = new EventEmitter()
  const process = checker({ onDeath: () => deaths.emit('death') })
  await process.start()
  const first = process.build(ENDLESS)
  const second = process.build(GOOD)
  const died = once(deaths, 'death')
  globalThis.process.kill(process.pid!, 'SIGKILL')
  await died
  // The next one, warm and at work on the same build.
  await process.start()
  globalThis.process.kill(process.pid!, 'SIGKILL')
  const result = await first
  assert.ok(!result.ok && /died twice/.test(result.problems[0]!.message), JSON.stringify(result))
  assert.equal((await second).ok, true)
  process.close()
})

test('a build that uses too much CPU is ended and refused, and the next one is built', async () => {
  const process = checker({ cpuMaxMs: 1500 })
  await process.start()
  const [slow, next] = await Promise.all([process.build(ENDLESS), process.build(GOOD)])
  assert.ok(!slow.ok, 'the types are not slow enough')
  assert.match(slow.problems[0]!.message, /^the check took more than 1500 ms of CPU$/)
  assert.equal(next.ok, true)
  process.close()
})

test('a build that the machine has no time for is given up without blame, and the next one is built', async () => {
  let wallMaxMs = 5000
  const process = new Checker({
    types,
    get wallMaxMs() {
      return wallMaxMs
    },
  })
  open.push(process)
  await process.start()
  const { pid } = process
  globalThis.process.kill(pid!, 'SIGSTOP')
  const [starved, next] = [process.build(GOOD), process.build(GOOD)]
  await assert.rejects(starved, {
    code: 'check-unfinished',
    status: 503,
    message: /^the check did not end within \d+ s, in which it got \d+ ms of CPU$/,
  })
  // It is asked of another process, which has to get warm before.
  wallMaxMs = 300_000
  assert.equal((await next).ok, true)
  assert.notEqual(process.pid, pid)
  process.close()
})

test('a process that cannot start is told after two tries, not waited for', async () => {
  const deaths: string[] = []
  const process = checker({ types: '/nowhere', onDeath: (message) => deaths.push(message) })
  const result = await process.build(GOOD)
  assert.ok(!result.ok && /the checker died twice/.test(result.problems[0]!.message), JSON.stringify(result))
  assert.match(deaths[0]!, /^the checker ended: Error: ENOENT: .*\/nowhere\/orla\.d\.ts/)
  process.close()
})

test('after it was closed, a build is refused at once', async () => {
  const process = checker()
  const waiting = process.build(GOOD)
  process.close()
  for (const build of [waiting, process.build(GOOD)]) await assert.rejects(build, { code: 'draining' })
})

test('the process gets none of the keys and tokens of its parent', async () => {
  globalThis.process.env['ORLA_SECRET_KEY'] = 'x'
  const process = checker()
  await process.start()
  const environment = readFileSync(`/proc/${process.pid}/environ`, 'utf8')
  assert.ok(!environment.includes('ORLA_'))
  delete globalThis.process.env['ORLA_SECRET_KEY']
  process.close()
})

test('a warm build takes milliseconds', async (t) => {
  await shared.start()
  const times: number[] = []
  for (let n = 0; n < 60; n++) {
    const start = performance.now()
    const result = await shared.build(
      unit(`const n = ${n}\nexport default { access(request) { request.path = "/" + n } }`),
    )
    assert.ok(result.ok)
    times.push(performance.now() - start)
  }
  times.sort((a, b) => a - b)
  t.diagnostic(`p50 ${times[30]!.toFixed(1)} ms, p99 ${times[59]!.toFixed(1)} ms`)
  // The best of them, for a busy machine: what it must catch is libraries that are parsed again.
  assert.ok(times[0]! < 150)
})
