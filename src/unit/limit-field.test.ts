/** The field `limit` of a unit, from what its author wrote to the limits that are laid out. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_MANIFEST, PHASE_BITS } from '../contract/unit.ts'
import { isAsked, limitProblems, limitsOfUnit } from './limit-field.ts'
import { parseManifest } from './manifest.ts'

function limitsOf(limit: unknown) {
  const result = parseManifest({ limit })
  assert.ok('manifest' in result, JSON.stringify(result))
  return limitsOfUnit({ name: 'gate', manifest: result.manifest })
}

function problemsOf(limit: unknown): readonly string[] {
  const result = parseManifest({ limit })
  return 'problems' in result ? result.problems : []
}

test('a name means a limit of the configuration, a rate one of the unit by address', () => {
  assert.deepEqual(limitsOf('login'), [{ kind: 'named', name: 'login' }])
  const [own] = limitsOf('10/1m')
  assert.ok(own?.kind === 'own')
  assert.equal(own.config.name, 'gate')
  assert.deepEqual([own.config.key, own.config.rate], [['address'], { count: 10, windowMs: 60_000 }])
})

test('a limit of its own has the words of the configuration, and its defaults', () => {
  const [own] = limitsOf({
    rate: '5/s',
    key: 'header:x-user',
    algorithm: 'gcra',
    name: 'users',
    dryRun: true,
  })
  assert.ok(own?.kind === 'own')
  const { name, key, algorithm, dryRun, status } = own.config
  assert.deepEqual([name, key, algorithm, dryRun, status], ['users', ['header:x-user'], 'gcra', true, 429])
})

test('a list is taken in its order, and with the key `unit` a limit waits to be asked', () => {
  const list = limitsOf(['login', '10/1m', { name: 'failures', rate: '5/10m', key: 'unit' }])
  assert.deepEqual(
    list.map((limit) => (limit.kind === 'named' ? limit.name : limit.config.name)),
    ['login', 'gate', 'failures'],
  )
  assert.deepEqual(list.map(isAsked), [true, true, false])
})

test('what a deploy gives takes the place of what the module says', () => {
  const result = parseManifest({ limit: '10/1m' }, { limit: ['login'] })
  assert.ok('manifest' in result)
  assert.deepEqual(result.manifest.limit, ['login'])
})

test('the manifest keeps what was written, a rate as an object', () => {
  const result = parseManifest({ limit: ['login', '10/1m'] })
  assert.ok('manifest' in result)
  assert.deepEqual(result.manifest.limit, ['login', { rate: '10/1m' }])
})

test('what is wrong is named with its place and with what would be right', () => {
  for (const [limit, expected] of [
    [5, /^`limit`: expected the name of a limit, a rate such as "10\/1m", .*, not 5$/],
    ['two words', /^`limit`: expected the name .*, not "two words"$/],
    ['10/31d', /^`limit`: expected the name .*, not "10\/31d"$/],
    [[], /^`limit`: .*not an empty list$/],
    [null, /^`limit`: expected the name .*, not null$/],
    [['ok', {}], /^`limit\[1\]\.rate`: missing; expected a rate such as "10\/s"/],
    [{ rate: '0/s' }, /^`limit\.rate`: expected a rate .*, got "0\/s"$/],
    [{ rate: '1.5/s' }, /^`limit\.rate`: expected a rate .*, got "1\.5\/s"$/],
    [{ rate: '-1/s' }, /^`limit\.rate`: expected a rate .*, got "-1\/s"$/],
    [{ rate: '10/s', keys: 'address' }, /^`limit\.keys`: unknown key `keys`; did you mean `key`\?/],
    [{ rate: '10/s', cost: 0 }, /^`limit\.cost`: /],
    [
      { kind: 'bandwidth', bytesPerSecond: '2mb' },
      /^`limit\.kind`: a limit of a unit's own is one of "rate"/,
    ],
    [Array.from({ length: 9 }, (_, i) => `l${i}`), /^`limit`: 9 limits, and a unit has at most 8$/],
    [['1/s', '2/s'], /^`limit`: of several limits of a unit's own each has a `name`$/],
    [['a', { name: 'a', rate: '1/s' }], /^`limit`: two limits are called "a"$/],
  ] as const) {
    const problems = problemsOf(limit)
    assert.equal(problems.length, 1, JSON.stringify([limit, problems]))
    assert.match(problems[0]!, expected)
  }
})

test('a unit that refuses nothing has no limit that requests pass, but may have one to ask', () => {
  const of = (phases: number, limit: unknown) => {
    const result = parseManifest({ limit })
    assert.ok('manifest' in result)
    return limitProblems(phases, result.manifest)
  }
  for (const bit of [PHASE_BITS.rewrite, PHASE_BITS.access, PHASE_BITS.content])
    assert.deepEqual(of(bit, '1/s'), [])
  for (const bit of [PHASE_BITS.origin, PHASE_BITS.headerFilter, PHASE_BITS.log, PHASE_BITS.timer])
    assert.match(of(bit, '1/s')[0]!, /^`limit` is for units with `rewrite`, `access`, `content` or `fetch`/)
  assert.deepEqual(of(PHASE_BITS.log, { rate: '1/s', key: 'unit' }), [])
  assert.deepEqual(limitProblems(PHASE_BITS.log, DEFAULT_MANIFEST), [])
})
