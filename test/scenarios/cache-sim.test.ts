/** `orla cache sim` as people and scripts use it: on the traces that there are reference counts of, and on the log of a node. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { readReference } from '../../src/cache/cache.support.ts'
import type { SimResult } from '../../src/cache/sim/sweep.ts'
import { orla } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

const TRACES = fileURLToPath(new URL('../fixtures/traces/', import.meta.url))

const reference = readReference()

interface Report {
  readonly trace: Readonly<Record<string, unknown>>
  readonly by: string
  readonly results: readonly (SimResult & { readonly name: string })[]
  readonly choice: { readonly policy: string; readonly reason: string } | null
}

/** `options` as one types them. */
async function report(file: string, options: string): Promise<Report> {
  const { code, stdout, stderr } = await orla(['cache', 'sim', '--json', file, ...options.split(' ')])
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as Report
}

/** As the reference has them; how far their hit ratios may be from it. */
const TOLERANCES = {
  FIFO: 0,
  LRU: 0,
  // What papers call LFU does not age: `plain-lfu` here.
  LFU: 0,
  CLOCK: 0,
  SIEVE: 0,
  'S3-FIFO': 0,
  ARC: 0,
  MIN: 0,
  'MIN-bypass': 0,
  'W-TinyLFU': 0.02,
  RANDOM: 0.003,
} as const
const NAMES = Object.keys(TOLERANCES)

for (const { name, runs, requests, distinct, requestedOnce, distinctBytes } of reference.traces) {
  const file = join(TRACES, `${name}.txt.gz`)

  test(`hits by entries on ${name} are those of the reference`, async () => {
    const byEntries = runs.filter(({ mode, filter }) => mode === 'objects' && filter === 'none')
    const sizes = byEntries.map(({ capacity }) => capacity)
    const { trace, by, results } = await report(
      file,
      `--by entries --sizes ${sizes.join()} --admission all --seeds 10 --policies ${NAMES.join()}`,
    )
    assert.deepEqual([...new Set(results.map((result) => result.name))], NAMES)
    assert.equal(by, 'entries')
    assert.deepEqual(
      [trace['requests'], trace['distinct'], trace['requestedOnce']],
      [requests, distinct, requestedOnce],
    )
    if (distinctBytes !== undefined) assert.equal(trace['bytes'], distinctBytes)
    for (const { capacity, policies } of byEntries) {
      for (const [name, tolerance] of Object.entries(TOLERANCES)) {
        const found = results.find((result) => result.name === name && result.size === capacity)!
        const { hits, hitRatio, byteHitRatio } = policies[name]!
        const what = `${found.policy} at ${capacity}`
        if (tolerance === 0) assert.equal(found.hits, hits, what)
        else assert.ok(Math.abs(found.hitRatio - hitRatio) <= tolerance, `${what} hits ${found.hitRatio}`)
        if (tolerance === 0 && byteHitRatio !== undefined)
          assert.ok(Math.abs(found.byteHitRatio! - byteHitRatio) < 1e-6, `bytes of ${what}`)
      }
    }
  })
}

test('hits by bytes are those of the reference, of the policies that know nothing of bytes and of the bound', async () => {
  const { runs } = reference.traces.find(({ name }) => name === 'cloudphysics-w106')!
  const byBytes = runs.filter(({ mode, filter }) => mode === 'bytes' && filter === 'none')
  const { by, results } = await report(
    join(TRACES, 'cloudphysics-w106.txt.gz'),
    `--by bytes --sizes ${byBytes.map(({ capacity }) => capacity).join()} --policies LRU,FIFO,clock,MIN --admission none`,
  )
  assert.equal(by, 'bytes')
  for (const { capacity, policies } of byBytes) {
    for (const name of ['LRU', 'FIFO', 'CLOCK', 'MIN']) {
      const found = results.find(({ policy, size }) => policy === name.toLowerCase() && size === capacity)!
      assert.equal(found.hits, policies[name]!.hits, `${name} at ${capacity}`)
    }
  }
})

function folderFor(t: TestContext, files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'orla-cache-sim-'))
  t.after(() => rmSync(folder, { recursive: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

test('a table for people names the setting to choose, and a chart is drawn', async (t) => {
  const cwd = folderFor(t)
  const trace = join(TRACES, 'web12.txt.gz')
  const { code, stdout, stderr } = await orla(
    ['cache', 'sim', trace, '--sizes', '140,690', '--policies', 'lru,s3-fifo,min', '--chart', 'curve.svg'],
    { cwd },
  )
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(stdout, /95,607 requests for 13,756 objects/)
  assert.match(stdout, /^POLICY +ADMISSION +140 \(1%\) +690 \(5%\)$/m)
  assert.match(stdout, /^s3-fifo +all +41\.5 +64\.9$/m)
  assert.match(stdout, /^choice over all sizes: "policy": "s3-fifo", "admission": "[a-z-]+"$/m)
  assert.match(readFileSync(join(cwd, 'curve.svg'), 'utf8'), /^<svg [^]*s3-fifo[^]*<\/svg>\n$/)
})

test('a sample of a trace is near to the whole, and says that it is one', async () => {
  const file = join(TRACES, 'cloudphysics-w106.txt.gz')
  const options = '--policies lru,sieve --admission all --sizes 5%,20% --by entries'
  const whole = await report(file, options)
  const sampled = await report(file, `${options} --sample 0.25`)
  assert.deepEqual([whole.trace['sampled'], sampled.trace['sampled']], [null, 0.25])
  for (const [i, { policy, hitRatio }] of whole.results.entries()) {
    const off = Math.abs(sampled.results[i]!.hitRatio - hitRatio)
    assert.ok(off < 0.03, `${policy} is ${off} off`)
  }
})

describe('the log of a node', () => {
  const paths = ['/a', '/b?x=1', '/a', '/c', '/a', '/b?x=1', '/b?x=2']

  test('in any format it is a trace of what the cache could have answered', async (t) => {
    const origin = await startOrigin(t, (_request, response) => {
      response.setHeader('cache-control', 'max-age=60')
      response.end('x'.repeat(1000))
    })
    const node = await startNode(t, {
      config: {
        edge: {
          accessLog: [
            'access.log',
            { path: 'combined.log', format: 'combined' },
            { path: 'few.log', fields: ['status', 'path', 'query', 'bodyBytesSent', 'method'] },
          ],
        },
        sites: [{ name: 'shop', hosts: ['shop.test'], origin: origin.url, cache: {} }],
      },
    })
    const headers = { host: 'shop.test' }
    for (const path of paths) await node.request(path, { headers })
    await node.request('/a', { headers, method: 'POST', body: 'x' })
    for (const log of ['access.log', 'combined.log', 'few.log']) {
      const path = join(node.folder, log)
      await eventually(() => readFileSync(path, 'latin1').split('\n').length > paths.length + 1)
      const { trace, results } = await report(path, '--sizes 100% --policies lru,min --admission all')
      const { requests, distinct, badLines, aside } = trace
      assert.deepEqual(
        [requests, distinct, badLines],
        [paths.length, 4, 0],
        `${log}: ${JSON.stringify(aside)}`,
      )
      assert.equal(trace['hasSizes'], true)
      // What was sent of each is the same, heads apart: everything fits, and three of seven are hits.
      assert.ok(
        results.every(({ hits }) => hits === 3),
        JSON.stringify(results),
      )
    }
    const { trace } = await report(join(node.folder, 'access.log'), '--site shop')
    assert.deepEqual(trace['logged'], { asked: 7, hits: 3, hitRatio: 3 / 7 })
    const other = await orla(['cache', 'sim', join(node.folder, 'access.log'), '--site', 'nobody'])
    assert.equal(other.code, 1)
    assert.match(other.stderr, /no request that a cache could answer: 8 of another site/)
  })
})

for (const [what, argv, message] of [
  ['no trace', [], /^orla cache sim: TRACE… is missing$/m],
  [
    'a policy that is none',
    ['t', '--policies', 'lru,siev'],
    /--policies takes lru, .*, not "siev"; did you mean sieve\?/,
  ],
  ['an admission that is none', ['t', '--admission', 'bloom'], /--admission takes all, .*, not "bloom"/],
  ['a size that is none', ['t', '--sizes', '5%,big'], /--sizes takes a share .*, not "big"/],
  [
    'bytes by entries',
    ['t', '--sizes', '5mb', '--by', 'entries'],
    /"5mb" of --sizes is in bytes, and --by says entries/,
  ],
  ['a sample of nothing', ['t', '--sample', '0'], /--sample takes a share above 0, not "0"/],
  ['columns without a key', ['t', '--columns', 'time,size'], /--columns names no `key`/],
  [
    'a format that is none',
    ['t', '--format', 'jsn'],
    /--format takes keys, .*, not "jsn"; did you mean json\?/,
  ],
  ['bytes of a trace without sizes', ['t', '--sizes', '5mb'], /the trace tells no sizes of objects/],
] as const) {
  test(`${what} is a slip on the command line: exit code 64`, async (t) => {
    const cwd = folderFor(t, { t: 'a\nb\na\n' })
    const { code, stdout, stderr } = await orla(['cache', 'sim', ...argv], { cwd })
    assert.deepEqual([code, stdout], [64, ''])
    assert.match(stderr, message)
  })
}

test('lines of no use are told, and the rest is simulated', async (t) => {
  const cwd = folderFor(t, { t: 'a 1\nb\nsome words here\na 1\n' })
  const { code, stdout, stderr } = await orla(['cache', 'sim', 't', '--sizes', '2'], { cwd })
  assert.equal(code, 0)
  assert.match(stderr, /^1 of 4 lines were left out: the first is t:3, "some words here"$/m)
  assert.match(stdout, /3 requests for 2 objects/)
})

test('a name that is no command of the group is refused, with what there is', async () => {
  const { code, stderr } = await orla(['cache', 'smi'])
  assert.equal(code, 64)
  assert.match(stderr, /^orla cache: "smi" is not .*sim.*; did you mean sim\?$/m)
  const help = await orla(['help', 'cache', 'sim'])
  assert.equal(help.code, 0)
  assert.match(help.stdout, /^usage: orla cache sim TRACE… \[options\]$/m)
})
