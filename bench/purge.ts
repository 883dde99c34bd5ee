/**
 * What a purge costs one cache, and how long it stands between requests.
 *
 *     node bench/purge.ts [--objects 10000] [--others 90000] [--json]
 *
 * A cache holds `objects` under one tag and below one path, and `others` beside them. Each kind of purge means the `objects`; for each it is told
 * how long the call took after which nothing of it is found any more, the CPU time until the last of them was gone, and the longest piece of that,
 * between two looks at other work. The floor is a `Map` of as many keys, each deleted. The promise for a node: 10,000 objects under one tag are gone
 * within 100 ms, and no piece is longer than 10 ms.
 */
import { parseArgs } from 'node:util'
import type { PurgeTerms } from '../src/http/caching/purging/compiled-purge.ts'
import { ResponseCache } from '../src/http/caching/response-cache.ts'
import { plainRequest } from '../src/wire/http1/plain-request.ts'

const { values } = parseArgs({
  options: {
    objects: { type: 'string', default: '10000' },
    others: { type: 'string', default: '90000' },
    json: { type: 'boolean', default: false },
  },
})
const OBJECTS = Number(values.objects)
const OTHERS = Number(values.others)
const NOW = Date.now()
const ORIGIN = 'https://example.org'

const requestFor = (target: string) =>
  plainRequest({ target, authority: 'example.org', host: 'example.org', headers: ['host', 'example.org'] })

function keep(cache: ResponseCache, target: string, tag: string): void {
  const head = requestFor(target)
  const key = ORIGIN + target
  const found = cache.lookup(key, head, NOW)
  if (found.kind !== 'miss') throw new Error(`expected a miss, not ${found.kind}`)
  const fill = cache.join(key, head, found, NOW, NOW, () => {})
  if (fill.kind !== 'fill') throw new Error('expected to fetch')
  fill.begin({ status: 200, reason: 'OK', headers: ['cache-control', 'max-age=600', 'cache-tag', tag] }, NOW)
  fill.append(Buffer.from('a body of some bytes'))
  if (fill.finish(NOW) === undefined) throw new Error(`${target} was not kept: ${fill.refused}`)
}

function filled(): { readonly cache: ResponseCache; readonly turns: (() => void)[] } {
  const turns: (() => void)[] = []
  const cache = new ResponseCache({
    bytesMax: 8 * 1024 ** 3,
    objectBytesMax: 1024,
    later: (work) => void turns.push(work),
  })
  for (let i = 0; i < OBJECTS + OTHERS; i++) {
    if (i % Math.ceil((OBJECTS + OTHERS) / OBJECTS) === 0 && i < OBJECTS + OTHERS)
      keep(cache, `/news/${i}`, 'news')
    else keep(cache, `/other/${i}`, 'other')
  }
  return { cache, turns }
}

function measure(name: string, terms: PurgeTerms) {
  const { cache, turns } = filled()
  let objects = -1
  let longestMs = 0
  const cpu = process.cpuUsage()
  const start = performance.now()
  cache.purge(terms, 1, NOW, (count) => (objects = count))
  const heldMs = performance.now() - start
  longestMs = heldMs
  for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
    const began = performance.now()
    turn()
    longestMs = Math.max(longestMs, performance.now() - began)
  }
  const used = process.cpuUsage(cpu)
  return { name, objects, heldMs, longestMs, cpuMs: (used.user + used.system) / 1000 }
}

function floor() {
  const map = new Map(Array.from({ length: OBJECTS + OTHERS }, (_, i) => [`${ORIGIN}/news/${i}`, { i }]))
  const cpu = process.cpuUsage()
  for (let i = 0; i < OBJECTS; i++) map.delete(`${ORIGIN}/news/${i}`)
  const used = process.cpuUsage(cpu)
  return (used.user + used.system) / 1000
}

const rows = [
  measure('tag', { tags: ['news'], soft: false }),
  measure('tag, softly', { tags: ['news'], soft: true }),
  measure('prefix', { prefixes: [`${ORIGIN}/news/`], soft: false }),
  measure('everything', { soft: false }),
]
const floorMs = floor()
if (values.json) console.log(JSON.stringify({ objects: OBJECTS, others: OTHERS, rows, floorMs }))
else {
  console.log(`${OBJECTS} objects meant, ${OTHERS} beside them`)
  for (const { name, objects, heldMs, longestMs, cpuMs } of rows) {
    console.log(
      `${name.padEnd(12)} ${String(objects).padStart(7)} objects  holds after ${heldMs.toFixed(2)} ms  longest piece ${longestMs.toFixed(2)} ms  CPU ${cpuMs.toFixed(1)} ms`,
    )
  }
  console.log(`floor        a Map, each key deleted: CPU ${floorMs.toFixed(1)} ms`)
}
