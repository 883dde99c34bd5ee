/**
 * What a lookup costs, by kind, and what a stored entry takes in memory.
 *
 *     node --expose-gc src/http/caching/response-cache.bench.ts
 *
 * The floor is a `Map.get` of the same key: what is above it is the cache's own. Times are the best of several
 * rounds, since other work on the machine only ever adds.
 */
import type { RequestHead } from '../../wire/http1/message.ts'
import { KEY, NOW, request, response, Rig, SECOND, type Fields } from './caching.support.ts'

const ROUNDS = 7
const CALLS = 300_000

/** As a browser sends it. */
const BROWSER: Fields = {
  'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
  accept: 'text/html,application/xhtml+xml',
  'accept-language': 'pt-BR,pt;q=0.8',
  'accept-encoding': 'gzip, deflate, br',
  referer: 'https://example.org/',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-site': 'same-origin',
}
const FRESH = { 'cache-control': 'max-age=600', etag: '"one"', 'content-type': 'text/plain' }

/** What is called must give a number that is used, or there would be nothing left to measure. */
let sum = 0

function nanoseconds(call: (i: number) => number): number {
  let best = Infinity
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    for (let i = 0; i < CALLS; i++) sum += call(i)
    best = Math.min(best, ((performance.now() - start) * 1e6) / CALLS)
  }
  return best
}

function lookupOf(rig: Rig, head: RequestHead, kind: string): number {
  const { cache } = rig
  const { nowMs } = rig
  return nanoseconds((i) => {
    const found = cache.lookup(KEY, head, nowMs + (i & 1023))
    if (found.kind !== kind) throw new Error(`expected ${kind}`)
    return 1
  })
}

function filled(fields: Fields = {}): Rig {
  const rig = new Rig()
  rig.fetch(response({ ...FRESH, ...fields }), request(BROWSER))
  return rig
}

const floor = new Map([[KEY, 1]])
const stale = filled()
stale.nowMs += 700 * SECOND

const rows: [what: string, ns: number][] = [
  ['floor: Map.get', nanoseconds(() => floor.get(KEY) ?? 0)],
  ['hit', lookupOf(filled(), request(BROWSER), 'hit')],
  ['hit, with If-None-Match', lookupOf(filled(), request({ ...BROWSER, 'if-none-match': '"one"' }), 'hit')],
  [
    'hit, with Cache-Control',
    lookupOf(filled(), request({ ...BROWSER, 'cache-control': 'max-age=500' }), 'hit'),
  ],
  ['hit, by Vary: Accept-Encoding', lookupOf(filled({ vary: 'accept-encoding' }), request(BROWSER), 'hit')],
  ['stale', lookupOf(stale, request(BROWSER), 'stale')],
  ['miss', lookupOf(new Rig(), request(BROWSER), 'miss')],
  ['fetch and store 4 bytes', storing('max-age=600')],
  ['fetch what is not to be stored', storing('no-store')],
]
for (const [what, ns] of rows) console.log(`${what.padEnd(34)} ${ns.toFixed(0).padStart(6)} ns`)

function storing(control: string): number {
  const { cache } = new Rig()
  const answer = response({ ...FRESH, 'cache-control': control })
  const body = Buffer.from('body')
  const head = request(BROWSER)
  const settled = () => {}
  return nanoseconds(() => {
    cache.invalidate(KEY)
    const found = cache.lookup(KEY, head, NOW)
    if (found.kind !== 'miss') throw new Error('expected a miss')
    const fill = cache.join(KEY, head, found, NOW, NOW + SECOND, settled)
    if (fill.kind !== 'fill') throw new Error('expected to fetch')
    fill.begin(answer, NOW)
    fill.append(body)
    return fill.finish(NOW) === undefined ? 0 : 1
  })
}

console.log(`(${sum} calls)`)

const { gc } = globalThis
if (gc === undefined) console.log('memory: start with --expose-gc to see it')
else {
  const COUNT = 20_000
  for (const bodyBytes of [2, 4000]) {
    gc()
    const before = process.memoryUsage()
    const rig = new Rig(1e9)
    for (let i = 0; i < COUNT; i++) {
      const key = `${KEY}/${i}`
      rig.fetch(response(FRESH), request(BROWSER), 'x'.repeat(bodyBytes), key)
      const { entry } = rig.hit(request(), key)
      // All that the pipeline makes it keep.
      void [entry.bodyText, entry.notModifiedPrefix]
      entry.headText = Buffer.from(`${entry.headPrefix}age: 1\r\n\r\n`).toString('latin1')
    }
    gc()
    const after = process.memoryUsage()
    const taken = (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / COUNT
    const counted = rig.cache.counters.bytes / COUNT
    console.log(
      `an entry of ${bodyBytes} bytes: ${taken.toFixed(0)} bytes taken, ${counted.toFixed(0)} counted`,
    )
  }
}
