import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_MANIFEST } from '../contract/unit.ts'
import { parseManifest } from './manifest.ts'

const good = (fields: unknown, overrides?: unknown) => {
  const result = parseManifest(fields, overrides)
  assert.ok('manifest' in result, JSON.stringify(result))
  return result.manifest
}
const problems = (fields: unknown, overrides?: unknown) => {
  const result = parseManifest(fields, overrides)
  return 'problems' in result ? result.problems : []
}

test('a unit that says nothing gets the defaults', () => {
  assert.deepEqual(good(undefined), DEFAULT_MANIFEST)
  assert.deepEqual(good({}, {}), DEFAULT_MANIFEST)
})

test('every field is read, in its normal form', () => {
  assert.deepEqual(
    good({
      hosts: ['TV.Example.com', '*.Example.ORG.', '*', 'çã.example', '[::1]', '127.0.0.1', 'tv.example.com'],
      paths: ['/hls/*', '/live.m3u8', '/*'],
      methods: ['get', 'POST'],
      nodes: ['gru1', 'group:sa-east'],
      priority: -5,
      sample: { share: 0.25, by: 'cookie:sid' },
      onError: 'lastGood',
      limits: { cpuMs: 20 },
      isolation: 'inline',
    }),
    {
      hosts: ['tv.example.com', '*.example.org', '*', 'xn--3cah.example', '[::1]', '127.0.0.1'],
      paths: ['/hls/*', '/live.m3u8', '/*'],
      methods: ['GET', 'POST'],
      nodes: ['gru1', 'group:sa-east'],
      priority: -5,
      sample: { share: 0.25, by: 'cookie:sid' },
      onError: 'lastGood',
      limits: { cpuMs: 20, wallMs: 1000, memoryMb: 32 },
      isolation: 'inline',
    },
  )
})

test('one text stands for a list of one, and a number for a random sample', () => {
  const manifest = good({ hosts: 'a.example', paths: '/x', sample: 0.5 })
  assert.deepEqual([manifest.hosts, manifest.paths], [['a.example'], ['/x']])
  assert.deepEqual(manifest.sample, { share: 0.5, by: 'random' })
  assert.deepEqual(good({ sample: { by: 'address' } }).sample, { share: 1, by: 'address' })
})

test('what the deploy gives wins over the module, inside limits one by one', () => {
  const manifest = good(
    { hosts: ['a.example'], priority: 1, limits: { cpuMs: 5, wallMs: 50 } },
    { hosts: ['b.example'], limits: { cpuMs: 7 } },
  )
  assert.deepEqual(manifest.hosts, ['b.example'])
  assert.equal(manifest.priority, 1)
  assert.deepEqual(manifest.limits, { cpuMs: 7, wallMs: 50, memoryMb: 32 })
})

test('a schedule that the deploy gives takes the place of the module’s, also where it is of the other kind', () => {
  const of = ({ every, cron }: { every?: string; cron?: string }) => [every, cron]
  assert.deepEqual(of(good({ every: '5s' }, { cron: '0 4 * * *' })), [undefined, '0 4 * * *'])
  assert.deepEqual(of(good({ cron: '0 4 * * *' }, { every: '5s' })), ['5s', undefined])
  assert.deepEqual(of(good({ every: '5s' }, { priority: 1 })), ['5s', undefined])
})

test('the names of handlers are no fields and no problems', () => {
  assert.deepEqual(good({ access: null, fetch: null, log: null }), DEFAULT_MANIFEST)
})

const REFUSED: readonly (readonly [unknown, RegExp])[] = [
  [{ host: ['a'] }, /^unknown field `host`: did you mean `hosts`\?$/],
  [{ acess: null }, /^unknown field `acess`: did you mean `access`\?$/],
  [{ qwertyuiop: 1 }, /^unknown field `qwertyuiop`: known are hosts, paths/],
  [{ limits: { cpuM: 1 } }, /^unknown field `limits\.cpuM`: did you mean `limits\.cpuMs`\?$/],
  [{ sample: { shar: 1 } }, /^unknown field `sample\.shar`: did you mean `sample\.share`\?$/],
  [{ limits: { cpuMs: 0 } }, /^`limits\.cpuMs`: expected 1 to 1000 milliseconds, not 0$/],
  [{ limits: { wallMs: 60_001 } }, /^`limits\.wallMs`: expected 1 to 60000 milliseconds/],
  [{ limits: { memoryMb: 4 } }, /^`limits\.memoryMb`: expected 8 to 512 MiB/],
  [{ limits: 'all' }, /^`limits`: expected an object, not "all"$/],
  [{ sample: 1.5 }, /^`sample.share`: expected a share of requests, 0 to 1, not 1\.5$/],
  [{ sample: { share: 2 } }, /^`sample\.share`: expected a share of requests, 0 to 1/],
  [{ sample: { share: 1, by: 'cookie:' } }, /^`sample\.by`: expected "random", "address" or "cookie:NAME"/],
  [{ sample: 'half' }, /^`sample`: expected a share from 0 to 1, or \{share, by\}, not "half"$/],
  [{ hosts: ['a.example:80'] }, /^`hosts.*`: expected a host without a port/],
  [{ hosts: ['https://a.example'] }, /^`hosts.*`: expected a host without a scheme/],
  [{ hosts: ['a.*.example'] }, /^`hosts.*`: expected a host such as/],
  [{ hosts: [''] }, /^`hosts.*`: expected a host such as/],
  [{ hosts: [7] }, /^`hosts\[0\]`: expected text/],
  [{ hosts: {} }, /^`hosts`: expected/],
  [{ paths: ['hls/*'] }, /^`paths.*`: expected a path that starts with "\/", not/],
  [{ paths: ['/a*b'] }, /^`paths.*`: expected "\*" at the end alone/],
  [{ paths: ['/x%2A'] }, /^`paths.*`: expected no encoded "\*" at the end/],
  [{ paths: ['/a?b=1'] }, /^`paths.*`: expected a path without a query/],
  [{ methods: ['GE T'] }, /^`methods.*`: expected a method/],
  [{ nodes: ['group:'] }, /^`nodes.*`: expected a node's name/],
  [{ priority: 'high' }, /^`priority`: expected a number, not "high"$/],
  [{ priority: 1.5 }, /^`priority`: expected an integer/],
  [{ onError: 'ignore' }, /^`onError`: expected "closed", "open" or "lastGood", not "ignore"$/],
  [{ isolation: 'none' }, /^`isolation`: expected "process" or "inline"/],
  ['text', /^expected an object with fields$/],
]
for (const [fields, message] of REFUSED) {
  test(`${JSON.stringify(fields)} is refused with what would be right`, () => {
    const told = problems(fields)
    assert.equal(told.length, 1, JSON.stringify(told))
    assert.match(told[0]!, message)
  })
}

test('lists and paths have an end', () => {
  const many = Array.from({ length: 1001 }, (_, n) => `h${n}.example`)
  assert.match(problems({ hosts: many }).join(), /^`hosts`: expected at most 1000, not/)
  assert.match(problems({ paths: [`/${'x'.repeat(1024)}`] }).join(), /expected a path of at most 1024/)
})

test('every problem is told at once, and those of the deploy say so', () => {
  const told = problems({ host: 'a', priority: 'x' }, { limit: 1, onError: 2 })
  assert.equal(told.length, 4)
  assert.deepEqual(
    told.map((text) => text.startsWith('given at the deploy: ')),
    [false, false, true, true],
  )
})
