/** What the caches of all sites hold and did: each worker tells of its own, and here they are summed by name. */
import { EdgeError } from '../base/errors.ts'
import { addHistograms, type HistogramCounts } from '../base/histogram.ts'
import { CACHE_HITS } from '../contract/cache-outcome.ts'
import type { CacheReading } from '../contract/cache-reading.ts'
import type { FromWorker } from '../contract/messages.ts'
import type { CacheExplained, CacheReport, TopObjectSummary } from '../control/cache-shapes.ts'
import type { WorkerPool } from './workers/worker-pool.ts'

type Answer = Extract<FromWorker, { kind: 'caches' }>

/** Objects that a worker is asked for, for one that is wanted: what is often asked for is so on all of them, if not in the same order. */
const TOP_FACTOR = 4

let lastId = 0

/** A worker that does not answer in time is left out. Fails with `worker-failed` if that is all of them. */
export async function askCaches(pool: WorkerPool, top: number, withinMs: number): Promise<CacheReport> {
  const answers = await Promise.allSettled(
    pool.ready().map((worker) => {
      const id = ++lastId
      const isAnswer = (heard: FromWorker): heard is Answer => heard.kind === 'caches' && heard.id === id
      return worker.ask({ kind: 'caches', id, top: top * TOP_FACTOR }, isAnswer, withinMs)
    }),
  )
  const told = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value.caches] : []))
  if (told.length === 0)
    throw new EdgeError('worker-failed', `no worker told of its caches within ${withinMs / 1000} s`)
  return mergeCaches(told, top)
}

type Explained = Extract<FromWorker, { kind: 'explained' }>

/** As `askCaches`. Throws `site-unknown` where no site answers for the URL. */
export async function askExplanation(
  pool: WorkerPool,
  url: string,
  headers: readonly string[],
  withinMs: number,
): Promise<CacheExplained> {
  const answers = await Promise.allSettled(
    pool.ready().map((worker) => {
      const id = ++lastId
      const isAnswer = (heard: FromWorker): heard is Explained =>
        heard.kind === 'explained' && heard.id === id
      return worker.ask({ kind: 'explain', id, url, headers }, isAnswer, withinMs)
    }),
  )
  const told = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value.explanation] : []))
  if (told.length === 0)
    throw new EdgeError('worker-failed', `no worker told of its cache within ${withinMs / 1000} s`)
  const found = told.filter((one) => one !== undefined)
  const [first] = found
  if (first === undefined) {
    const hint = 'give a URL with http or https and a host of a site: `https://www.example.com/a`'
    throw new EdgeError('site-unknown', `no site answers for ${JSON.stringify(url)}`, { hint })
  }
  const { stored: _, ...facts } = first
  return {
    ...facts,
    workers: found.map(({ stored }) =>
      stored.map((one) => ({ ...one, tags: [...one.tags], vary: [...one.vary] })),
    ),
  }
}

/** One list a worker. Of each site so many objects. */
export function mergeCaches(workers: readonly (readonly CacheReading[])[], top: number): CacheReport {
  const bySite = [...Map.groupBy(workers.flat(), ({ site }) => site)]
  return {
    caches: bySite.map(([site, readings]) => mergeSite(site, readings)),
    top: bySite
      .flatMap(([site, readings]) => mergeTop(site, readings, top))
      .toSorted((a, b) => b.hits - a.hits),
  }
}

function mergeSite(site: string, readings: readonly CacheReading[]): CacheReport['caches'][number] {
  const results = sum(readings.map((reading) => reading.results))
  const requests = Object.values(results).reduce((total, count) => total + count, 0)
  const hits = CACHE_HITS.reduce((total, word) => total + (results[word] ?? 0), 0)
  const bytes = { cache: 0, origin: 0, ...sum(readings.map((reading) => reading.bytes)) }
  const sent = bytes.cache + bytes.origin
  return {
    site,
    workers: readings.length,
    ...(requests > 0 && { hitRatio: hits / requests }),
    ...(sent > 0 && { byteHitRatio: bytes.cache / sent }),
    results,
    refusals: sum(readings.map(({ refusals }) => refusals)),
    bytes,
    counters: sum(readings.map(({ counters }) => counters)),
    ...ageSummary(readings.flatMap(({ evictedAge }) => evictedAge ?? [])),
  }
}

function mergeTop(site: string, readings: readonly CacheReading[], max: number): TopObjectSummary[] {
  const byKey = Map.groupBy(
    readings.flatMap(({ top }) => top),
    ({ key }) => key,
  )
  return Array.from(byKey, ([key, seen]) => {
    const total = (name: 'hits' | 'excess' | 'bytes') => seen.reduce((count, one) => count + one[name], 0)
    // Of copies that differ the freshest: it is what clients get from now on.
    const { ageSeconds, ttlSeconds } = seen.reduce((a, b) => (b.ttlSeconds > a.ttlSeconds ? b : a))
    return {
      site,
      key,
      hits: total('hits'),
      excess: total('excess'),
      bytes: total('bytes'),
      ageSeconds,
      ttlSeconds,
    }
  })
    .toSorted((a, b) => b.hits - a.hits)
    .slice(0, max)
}

function ageSummary(ages: readonly HistogramCounts[]): Pick<CacheReport['caches'][number], 'evictedAge'> {
  if (ages.length === 0) return {}
  const { bounds, counts, sum: seconds } = ages.reduce(addHistograms)
  const count = counts.reduce((total, one) => total + one, 0)
  if (count === 0) return {}
  const list = counts.map((one, at) => {
    const belowSeconds = bounds[at]
    return { ...(belowSeconds !== undefined && { belowSeconds }), count: one }
  })
  return { evictedAge: { count, meanSeconds: seconds / count, ages: list } }
}

function sum(records: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {}
  for (const record of records)
    for (const [name, value] of Object.entries(record)) total[name] = (total[name] ?? 0) + value
  return total
}
