import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_MANIFEST, PHASE_BITS } from '../contract/unit.ts'
import { Cron, parseEvery, scheduleOf, scheduleProblems } from './schedule.ts'

const after = (cron: string, from: string): string => {
  const parsed = Cron.parse(cron)
  assert.ok(parsed instanceof Cron, `${cron}: ${String(parsed)}`)
  return new Date(parsed.next(Date.parse(from))).toISOString().replace(':00.000Z', '')
}

test('the next moment of a cron line', () => {
  const cases: readonly (readonly [cron: string, from: string, next: string])[] = [
    ['* * * * *', '2026-03-01T10:00:00Z', '2026-03-01T10:01'],
    ['* * * * *', '2026-03-01T10:00:59.999Z', '2026-03-01T10:01'],
    ['*/15 * * * *', '2026-03-01T10:46:00Z', '2026-03-01T11:00'],
    ['5-20/5 8,20 * * *', '2026-03-01T08:20:00Z', '2026-03-01T20:05'],
    ['30 4 * * *', '2026-12-31T04:30:00Z', '2027-01-01T04:30'],
    ['0 0 1 1 *', '2026-01-01T00:00:00Z', '2027-01-01T00:00'],
    ['0 12 29 feb *', '2026-01-01T00:00:00Z', '2028-02-29T12:00'],
    ['0 12 29 2 *', '2096-03-01T00:00:00Z', '2104-02-29T12:00'],
    ['0 9 * * mon-fri', '2026-11-27T09:00:00Z', '2026-11-30T09:00'],
    ['0 9 * * 7', '2026-11-26T00:00:00Z', '2026-11-29T09:00'],
    ['0 9 * * SUN', '2026-11-26T00:00:00Z', '2026-11-29T09:00'],
    // Either day, where both are restricted.
    ['0 0 13 * fri', '2026-11-26T00:00:00Z', '2026-11-27T00:00'],
    ['0 0 13 * fri', '2026-12-12T00:00:00Z', '2026-12-13T00:00'],
    ['59 23 31 * *', '2026-04-01T00:00:00Z', '2026-05-31T23:59'],
  ]
  for (const [cron, from, next] of cases) assert.equal(after(cron, from), next, `${cron} after ${from}`)
})

test('it agrees with trying every minute', () => {
  const lines = ['7 3-5 */9 * *', '*/7 */5 * 2,11 tue', '0 0 1-7 * mon', '13,14 1 * jun-aug 0']
  for (const line of lines) {
    const cron = Cron.parse(line) as Cron
    for (
      let at = Date.UTC(2027, 0, 3, 5, 11);
      at < Date.UTC(2027, 11, 1);
      at += 19 * 86_400_000 + 7_380_000
    ) {
      const next = cron.next(at)
      assert.equal(cron.next(next - 60_000), next, line)
      assert.equal(cron.next(next - 1), next, line)
      assert.ok(next > at)
    }
  }
})

test('what cannot be read, or never comes, is refused with the reason', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /expected five fields .*, not 0/],
    ['* * * *', /expected five fields .*, not 4/],
    ['* * * * * *', /not 6/],
    ['60 * * * *', /minute: expected 0 to 59, not `60`/],
    ['* 24 * * *', /hour: expected 0 to 23/],
    ['* * 0 * *', /day of month: expected 1 to 31/],
    ['* * * 13 *', /month: expected 1 to 12 or jan to dec, not `13`/],
    ['* * * * 8', /day of week: expected 0 to 7 or sun to sat/],
    ['*/0 * * * *', /a step of 0/],
    ['5/10 * * * *', /a step goes with/],
    ['9-5 * * * *', /goes backwards/],
    ['1- * * * *', /minute: expected/],
    ['1-2-3 * * * *', /cannot be read/],
    ['1,,2 * * * *', /cannot be read/],
    ['a * * * *', /minute: expected 0 to 59, not `a`/],
    ['-1 * * * *', /minute/],
    ['@daily', /five fields/],
    ['0 0 30 2 *', /it never comes/],
    ['0 0 31 apr,jun *', /it never comes/],
  ]
  for (const [cron, reason] of cases) {
    const parsed = Cron.parse(cron)
    assert.ok(typeof parsed === 'string', `${cron} was taken`)
    assert.match(parsed, reason, cron)
  }
})

test('every is a time within bounds', () => {
  assert.equal(parseEvery('20s'), 20_000)
  assert.match(String(parseEvery('20')), /expected a time such as "20s"/)
  assert.match(String(parseEvery('50ms')), /expected 100ms to 7d/)
  assert.match(String(parseEvery('8d')), /expected 100ms to 7d/)
  assert.equal(scheduleOf({ ...DEFAULT_MANIFEST, every: '1m' })!.next(5), 60_005)
  assert.equal(scheduleOf(DEFAULT_MANIFEST), undefined)
})

test('a timer and its schedule go together', () => {
  const of = (phases: number, more: object) => scheduleProblems(phases, { ...DEFAULT_MANIFEST, ...more })
  assert.deepEqual(of(PHASE_BITS.timer, { every: '1s' }), [])
  assert.match(of(PHASE_BITS.timer, {})[0]!, /a unit with `timer` says when/)
  assert.match(of(PHASE_BITS.timer, { every: '1s', cron: '* * * * *' })[0]!, /exclude each other/)
  assert.match(of(PHASE_BITS.log, { cron: '* * * * *' })[0]!, /`cron` is for units with a `timer`/)
})
