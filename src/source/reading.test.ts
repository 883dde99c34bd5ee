import assert from 'node:assert/strict'
import { test } from 'node:test'
import { foreignReason, planChanges } from './changes.ts'
import { understand } from './reading.ts'
import type { SourceEntry } from './redis-layout.ts'
import { unitNameFor } from './unit-name.ts'

const entry = (name: string, text: string, score?: number): SourceEntry => ({ name, score, value: { text } })
const read = (...entries: SourceEntry[]) => understand(entries, 'open')
const isConfigured = (source: string) => source === 'here' || source === 'other'

test('names that are good stay, others are told apart by a part of their hash', () => {
  assert.equal(unitNameFor('token-auth'), 'token-auth')
  assert.match(unitNameFor('Token Auth'), /^token-auth-[0-9a-f]{8}$/)
  assert.notEqual(unitNameFor('Token Auth'), unitNameFor('token:auth'))
  assert.match(unitNameFor('ção'), /^o-[0-9a-f]{8}$/)
  assert.match(unitNameFor('日本'), /^unit-[0-9a-f]{8}$/)
  assert.match(unitNameFor('constructor'), /^constructor-[0-9a-f]{8}$/)
  assert.ok(unitNameFor('x'.repeat(200)).length <= 63)
})

test('the code is the body of the handler of its phase, from the first line on', () => {
  const [unit] = read(entry('a', 'access||const response = 1\nreturn response||20')).units
  assert.match(
    unit!.source,
    /^export default \{ access\(request, response, edge\) \{ .*\{const response = 1\n/,
  )
  assert.deepEqual(unit!.manifest, { sample: 0.2 })
  assert.deepEqual(unit!.defaults, { onError: 'open' })
  const [awaiting] = read(entry('a', 'log||await redis_client.incr("a")')).units
  assert.match(awaiting!.source, /^export default \{ async log\(/)
  assert.equal(awaiting!.usesRedis, true)
})

test('a module is the unit as it is', () => {
  const code = `export default { paths: ['/a'], access() {} }`
  assert.equal(read(entry('a', `access||${code}`)).units[0]!.source, code)
})

test('what cannot run is left out with the reason, and stops no other', () => {
  const { units, leftOut } = read(
    entry('a', 'access||return'),
    entry('b', 'access||local x = 1'),
    entry('c', 'access||if ('),
    entry('d', 'nowhere||return'),
    { name: 'e', score: undefined, value: { problem: 'its key holds no string' } },
    entry('f', 'access||return 5 +||0'),
    entry('g', 'timer||edge.log("x")'),
    entry('h'.repeat(300), 'access||return'),
    entry('i', 'access||if (x) {||150'),
  )
  assert.deepEqual(
    units.map(({ name }) => name),
    ['a'],
  )
  const reasons = Object.fromEntries(
    leftOut.map(({ name, state, reason }) => [name[0], `${state} ${reason}`]),
  )
  assert.match(reasons['b']!, /^aside it is Lua \(by `local`\)/)
  assert.match(reasons['c']!, /^refused its code is no JavaScript/)
  assert.match(reasons['d']!, /^refused there is no phase/)
  assert.match(reasons['e']!, /^refused its key holds no string/)
  assert.match(reasons['f']!, /it ends with `\|\|0`, and a share is a number from 1 to 100$/)
  assert.match(reasons['g']!, /says not when it runs/)
  assert.match(reasons['h']!, /longer than 256/)
  assert.match(reasons['i']!, /it ends with `\|\|150`/)
})

test('a value that grew since its length was asked for is not looked into', () => {
  const text = `access||//${'x'.repeat(2 ** 20)}`
  const { leftOut } = read({ name: 'a', score: undefined, value: { text } })
  assert.deepEqual(
    leftOut.map(({ reason }) => reason),
    [`it is ${text.length} bytes long, at most 1048576`],
  )
})

test('two names that would be one unit are told', () => {
  const odd = 'Token Auth'
  const { units, leftOut } = read(entry(odd, 'access||return'), entry(unitNameFor(odd), 'access||return'))
  assert.equal(units.length, 1)
  assert.match(leftOut[0]!.reason, /as `Token Auth` is$/)
})

test('the lowest score runs first', () => {
  const priorities = (...scores: number[]) =>
    read(...scores.map((score, at) => entry(`u${at}`, 'log||a()', score))).units.map(
      ({ manifest }) => manifest.priority,
    )
  assert.deepEqual(priorities(1, 2, 10), [-1, -2, -10])
  assert.deepEqual(priorities(0, 0), [0, 0])
  assert.deepEqual(priorities(-5, 5), [5, -5])
  // What is no priority stands in its place.
  assert.deepEqual(priorities(0.5, 1.5, 1.5), [0, -1, -1])
  assert.deepEqual(priorities(-Infinity, 3, Infinity), [0, -1, -2])
  assert.deepEqual(priorities(1, 5_000_000), [0, -1])
  assert.deepEqual(read(entry('a', 'log||a()')).units[0]!.manifest, {})
})

test('the hash changes with all that the unit is made of, and with nothing else', () => {
  const hash = (text: string, score?: number, onError: 'open' | 'closed' = 'open') =>
    understand([entry('a', text, score)], onError).units[0]!.hash
  const before = hash('log||a()')
  assert.equal(hash('log_by_lua_block||a()'), before)
  const others = [
    hash('log||b()'),
    hash('access||a()'),
    hash('log||a()||5'),
    hash('log||a()', 5),
    hash('log||a()', 6),
  ]
  const all = [before, ...others, hash('log||a()', undefined, 'closed')]
  assert.equal(new Set(all).size, all.length)
})

test('what is live becomes what the source holds', () => {
  const reading = read(
    entry('same', 'log||a()'),
    entry('changed', 'log||b()'),
    entry('new', 'log||c()'),
    entry('lua', 'log||local x = 1'),
    entry('by-hand', 'log||d()'),
    entry('of-other', 'log||e()'),
    entry('of-gone', 'log||f()'),
    entry('imported', 'log||g()'),
  )
  const hashOf = (name: string) => reading.units.find((unit) => unit.name === name)!.hash
  const origin = (name: string, source: string, hash: string, kind: 'source' | 'import' = 'source') =>
    [name, { kind, source, name, hash }] as const
  const live = new Map([
    origin('same', 'here', hashOf('same')),
    origin('changed', 'here', 'x'),
    // What worked before stays while what is there now cannot run.
    origin('lua', 'here', 'x'),
    ['by-hand', undefined] as const,
    origin('of-other', 'other', 'x'),
    origin('of-gone', 'gone', hashOf('of-gone')),
    origin('imported', 'redis://h/0#s', hashOf('imported'), 'import'),
    origin('dropped', 'here', 'x'),
    origin('dropped-of-other', 'other', 'x'),
    ['unrelated', undefined] as const,
  ])
  const { deploy, unchanged, remove, foreign } = planChanges(reading, live, 'here', isConfigured)
  assert.deepEqual(
    deploy.map(({ name }) => name),
    ['changed', 'new', 'of-gone', 'imported'],
  )
  assert.deepEqual(
    unchanged.map(({ name }) => name),
    ['same'],
  )
  assert.deepEqual(remove, ['dropped'])
  assert.deepEqual(
    foreign.map(({ reason }) => reason),
    ['a unit by-hand was deployed by hand, and stays as it is', 'the unit of-other follows other'],
  )
})

test('a unit of another name there is another unit', () => {
  const origin = { kind: 'source', source: 'here', name: 'A B', hash: 'x' } as const
  const reason = foreignReason(origin, { name: 'a-b-12345678', unit: 'a-b-12345678' }, 'here', isConfigured)
  assert.match(reason ?? '', /is `A B` of here/)
})
