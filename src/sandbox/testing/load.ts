/**
 * A steady load of trips to innocent units, and what became of them.
 */
import { go, step, unit } from './runner.ts'
import type { UnitDispatcher } from '../unit-dispatcher.ts'
import type { UnitVersion } from '../../contract/unit.ts'

export interface Load {
  readonly units: readonly UnitVersion[]
  /** What went wrong so far, in words. */
  readonly failures: readonly string[]
  readonly trips: () => number
  /** Resolves when so many more trips were answered. */
  answered(trips: number): Promise<void>
  /** Stops, and waits for what is in flight. */
  stop(): Promise<LoadReport>
}

export interface LoadReport {
  readonly p99Ms: number
  readonly maxMs: number
}

const SYNC = `access(request, response, edge) {
  if (request.query.get('token') !== 'token') return new Response('forbidden', { status: 403 })
  response.headers.append('set-cookie', 'superstition=token')
}`
const ASYNC = `async access(request, response) {
  await new Promise((resolve) => setTimeout(resolve, 2))
  response.headers.append('set-cookie', 'superstition=token')
}`
const EXPECTED = 'A set-cookie: superstition=token\n'
/** Between a trip's answer and the next one of the same client. */
const PAUSE_MS = 4

export function startLoad(runner: UnitDispatcher, clients = 8): Load {
  const units = [
    unit(SYNC, { name: 'innocent-a' }),
    unit(SYNC, { name: 'innocent-b' }),
    unit(ASYNC, { name: 'innocent-c' }),
  ]
  const failures: string[] = []
  const times: number[] = []
  const stopping = new AbortController()
  const client = async (of: UnitVersion): Promise<void> => {
    while (!stopping.signal.aborted) {
      const start = performance.now()
      const outcome = await go(runner, [step(of, 'access')])
      times.push(performance.now() - start)
      if (outcome.kind !== 'next') failures.push(`${of.name}: ${JSON.stringify(outcome)}`)
      else if (outcome.edits !== EXPECTED) failures.push(`${of.name}: ${outcome.edits}`)
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }
  const clientsDone = Array.from({ length: clients }, (_, index) => client(units[index % units.length]!))
  return {
    units,
    failures,
    trips: () => times.length,
    async answered(trips) {
      const enough = times.length + trips
      while (times.length < enough) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    },
    async stop() {
      stopping.abort()
      await Promise.all(clientsDone)
      const sorted = times.toSorted((a, b) => a - b)
      return {
        p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
        maxMs: sorted.at(-1) ?? 0,
      }
    },
  }
}
