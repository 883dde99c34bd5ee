import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Effect, LogEntry } from '../../src/contract/store.ts'
import { chain, GENESIS } from '../../src/store/chain.ts'
import { pointerKey, recordKey } from '../../src/unit/records.ts'
import { check, type Event, type Recorded } from './history.ts'

const START = { log: 'l', id: 0, hash: GENESIS }
const version = (live: number, code = 'run'): readonly Effect[] => [
  { operation: 'SET', key: recordKey('a', live), value: JSON.stringify({ code }) },
  { operation: 'SET', key: pointerKey('a'), value: JSON.stringify({ live, disabled: false }) },
]

/** Three versions of a unit, each an append of two entries. */
const effects = [version(1), version(2), version(3, 'refuse e')]
const log: LogEntry[] = []
for (const [at, some] of effects.entries()) log.push(...chain({ ...START, ...log.at(-1) }, some, at))

/** What they add up to. */
const STATE = new Map(effects.flat().map((effect) => [effect.key, 'value' in effect ? effect.value : '']))

const at = (id: number) => ({ id, hash: log[id - 1]?.hash ?? GENESIS })
const happened = (...events: readonly Event[]): readonly Recorded[] => {
  const attempts = [2, 4, 6].map((id): Event => ({ kind: 'attempt', last: at(id), outcome: 'appended' }))
  return [...attempts, ...events].map((event, index) => ({ atMs: index, who: 'e', event }))
}
const acknowledged = (plannedAt: number, some: readonly Effect[], id = plannedAt + some.length): Event => {
  return { kind: 'acknowledged', plannedAt, at: at(id), effects: some }
}
const read = (id: number, content: Readonly<Record<string, number>>): Event => {
  return { kind: 'read', at: at(id), content }
}
const found = (some: readonly LogEntry[], ...events: readonly Event[]) =>
  check(some, happened(...events), (code, node) => code === `refuse ${node}`)?.problem

test('a history that goes by the rules is found good', () => {
  assert.equal(
    found(
      log,
      acknowledged(0, version(1)),
      { kind: 'advanced', at: at(2) },
      read(2, { a: 1 }),
      acknowledged(2, version(2)),
      { kind: 'published', id: 4, nodes: ['e'] },
      { kind: 'advanced', at: at(6) },
      read(4, { a: 2 }),
      { kind: 'took', took: ['a@3'] },
      read(6, { a: 3 }),
      { kind: 'ended', at: { log: 'l', ...at(6) }, state: STATE, live: 6 },
    ),
    undefined,
  )
})

const wrong: Readonly<Record<string, readonly [expected: RegExp, some: readonly LogEntry[], ...Event[]]>> = {
  'an acknowledged write that is lost': [
    /acknowledged as 5 to 6 is not in the log/,
    log.slice(0, 4),
    acknowledged(4, version(3)),
  ],
  'another write in its place': [/is not in the log there/, log, acknowledged(2, version(7))],
  'an id that was acknowledged twice': [
    /acknowledged twice/,
    log,
    acknowledged(0, version(1)),
    acknowledged(0, version(1)),
  ],
  'a gap in the log': [/has entry 4 where 3/, [...log.slice(0, 2), ...log.slice(3)]],
  'an id that is there twice': [/has entry 2 where 3/, [...log.slice(0, 2), log[1]!, ...log.slice(2)]],
  'an entry that was changed': [
    /entry 2 of the log does not have the hash/,
    [log[0]!, { ...log[1]!, value: 'x' }],
  ],
  'a conflict for what is in the log': [
    /told that there was a conflict/,
    log,
    { kind: 'attempt', last: at(4), outcome: 'conflict' },
  ],
  'a replica that goes back': [
    /its replica went back from 4 to 2/,
    log,
    { kind: 'advanced', at: at(4) },
    { kind: 'advanced', at: at(2) },
  ],
  'a replica on another history': [/another history/, log, { kind: 'advanced', at: { id: 2, hash: 'f' } }],
  'a replica with a part of an append': [/in the middle of an append/, log, { kind: 'advanced', at: at(3) }],
  'a reader that goes back': [/a reader went back from 4 to 2/, log, read(4, { a: 2 }), read(2, { a: 1 })],
  'a reader that meets half of a set': [/which is {"a":2}/, log, read(4, {})],
  'a reader that meets what is older than was told to be live': [
    /after 4 was told/,
    log,
    { kind: 'published', id: 4, nodes: ['e'] },
    read(2, { a: 1 }),
  ],
  'a reader that meets what was refused': [/a@3, which does not run there/, log, read(6, { a: 3 })],
  'a replica that does not catch up': [
    /ended at 4, and the log at 6/,
    log,
    { kind: 'ended', at: { log: 'l', ...at(4) }, state: new Map(), live: 4 },
  ],
  'a replica of a log of another name': [
    /of the log m, and others of l/,
    log,
    { kind: 'ended', at: { log: 'l', ...at(6) }, state: STATE, live: 6 },
    { kind: 'ended', at: { log: 'm', ...at(6) }, state: STATE, live: 6 },
  ],
  'a replica whose state is not what the log adds up to': [
    /not what the log adds up to/,
    log,
    { kind: 'ended', at: { log: 'l', ...at(6) }, state: new Map(), live: 6 },
  ],
}
for (const [what, [expected, some, ...events]] of Object.entries(wrong))
  test(`${what} is found`, () => assert.match(found(some, ...events) ?? 'nothing', expected))
