import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_MANIFEST, PHASE_BITS, type UnitVersion } from '../../contract/unit.ts'
import type { Trip, TripOutcome, TripStep } from '../../contract/unit-runner.ts'
import { differences, UNTOUCHED, verdictAt, verdictText, withoutStates } from './verdict.ts'

const unit = (name: string): UnitVersion => ({
  name,
  version: 1,
  code: '',
  sourceMap: '',
  phases: PHASE_BITS.access,
  manifest: DEFAULT_MANIFEST,
  env: {},
})

const tripOf = (...names: string[]): Trip => ({
  steps: names.map((name): TripStep => ({ unit: unit(name), phases: PHASE_BITS.access })),
  meta: '{}',
  head: 'GET / HTTP/1.1',
  response: '',
  edits: '',
  body: '',
  done: () => {},
})

/** What each step changed, and how the trip ended. */
function came(steps: readonly string[], end: Partial<Extract<TripOutcome, { kind: 'response' }>> = {}) {
  let editsEnd = 0
  const runs = steps.map((text, step) => ({ step, cpuUs: 1, editsEnd: (editsEnd += text.length) }))
  return { kind: 'next', edits: steps.join(''), runs, ...end } as TripOutcome
}

const answer = { kind: 'response', phase: 'access', status: 403, headers: 'x-a: 1\r\n', body: 'no' } as const

test('of a trip through several units each one has decided by itself', () => {
  const trip = tripOf('a', 'b', 'c')
  const passed = came(['H x-a: 1\n', '', 'm POST\nz c {"n":1}\n'])
  const of = (at: number) => verdictAt(trip, passed, at)!
  assert.deepEqual(
    [of(0), of(1), of(2)].map(({ editsStart }) => editsStart),
    [0, 9, 9],
  )
  assert.deepEqual(
    of(0).verdict.edits?.headers.map(({ name }) => name),
    ['x-a'],
  )
  assert.deepEqual(differences(of(1).verdict, UNTOUCHED), [])
  assert.equal(of(2).verdict.edits?.request?.method, 'POST')

  const answered = came(['H x-a: 1\n', ''], { ...answer, step: 1 })
  assert.equal(verdictText(verdictAt(trip, answered, 0)!.verdict), 'passed')
  assert.equal(verdictText(verdictAt(trip, answered, 1)!.verdict), 'answered 403')
  assert.equal(verdictAt(trip, answered, 2), undefined)

  const failed: TripOutcome = {
    kind: 'failed',
    step: 1,
    phase: 'access',
    edits: 'H x-a: 1\n',
    reason: 'cpu',
    message: '',
    runs: [{ step: 0, cpuUs: 1, editsEnd: 9 }],
  }
  assert.equal(verdictText(verdictAt(trip, failed, 1)!.verdict), 'failed (cpu)')
  assert.equal(verdictAt(trip, failed, 1)!.editsStart, 9)
})

test('two decisions differ in what each of them did, told by name', () => {
  const trip = tripOf('a')
  const verdict = (text: string, end: object = {}) => verdictAt(trip, came([text], end), 0)!.verdict
  const answering = (more: object) => verdict('', { ...answer, step: 0, ...more })
  for (const [live, next, expected] of [
    [verdict('H x-a: 1\nH x-b: 2\n'), verdict('H x-b: 2\nH X-A: 1\n'), []],
    [verdict('p /a\n'), verdict('p /b\nq c\n'), ['request path', 'request query']],
    [verdict('h cookie: a\n'), verdict('d cookie\n'), ['request header cookie']],
    [
      verdict('A set-cookie: a\n'),
      verdict('A set-cookie: a\nA set-cookie: b\n'),
      ['response header set-cookie'],
    ],
    [verdict('S 404\n'), verdict(''), ['response status']],
    [verdict(''), answering({}), ['decision']],
    [answering({}), answering({ status: 401, body: 'other' }), ['status', 'body']],
    [answering({}), answering({ headers: 'X-A: 1\r\n', body: Buffer.from('no') }), []],
    [
      answering({}),
      answering({ headers: 'x-a: 2\r\nx-b: 1\r\n' }),
      ['answer header x-a', 'answer header x-b'],
    ],
    // A body that comes piece by piece is not compared.
    [answering({}), answering({ body: '', stream: { cancel() {} } }), []],
    [verdict('not an edit\n'), verdict(''), ['edits that are not valid']],
  ] as const)
    assert.deepEqual(differences(live, next), expected)
})

test('what units keep of a request is no decision, and a shadow is not given what the live version keeps', () => {
  assert.equal(withoutStates('m POST\nz a {}\nz b {}\n'), 'm POST\n')
  assert.equal(withoutStates('m POST\nz a {}\nz b {}\n', 'a'), 'm POST\nz b {}\n')
})
