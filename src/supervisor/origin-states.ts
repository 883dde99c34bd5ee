/**
 * How the endpoints of all origins do: each worker has its own view, from its own requests and checks, and here they are put together.
 *
 * Numbers are sums. The state is the worst that a worker sees, with how many see it up: an endpoint that flaps is seen differently.
 */
import { EdgeError } from '../base/errors.ts'
import type { FromWorker, SiteOrigin } from '../contract/messages.ts'
import type { EndpointState } from '../contract/origin.ts'
import type { EndpointSummary, OriginSummary } from '../control/origin-shapes.ts'
import type { WorkerPool } from './workers/worker-pool.ts'

/** From the best to the worst. */
const STATES = ['up', 'leaving', 'ejected', 'down'] as const

const CIRCUITS = ['closed', 'half-open', 'open'] as const

type Answer = Extract<FromWorker, { kind: 'origins' }>

let lastId = 0

/** A worker that does not answer in time is left out. Fails with `worker-failed` if that is all of them. */
export async function askOrigins(pool: WorkerPool, withinMs: number): Promise<OriginSummary[]> {
  const answers = await Promise.allSettled(
    pool.ready().map((worker) => {
      const id = ++lastId
      const isAnswer = (heard: FromWorker): heard is Answer => heard.kind === 'origins' && heard.id === id
      return worker.ask({ kind: 'origins', id }, isAnswer, withinMs)
    }),
  )
  const told = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value.origins] : []))
  if (told.length === 0)
    throw new EdgeError('worker-failed', `no worker told of its origins within ${withinMs / 1000} s`)
  return mergeOrigins(told)
}

/** One list a worker. */
export function mergeOrigins(workers: readonly (readonly SiteOrigin[])[]): OriginSummary[] {
  const bySite = Map.groupBy(workers.flat(), ({ site }) => site)
  return [...bySite].map(([site, views]) => {
    const origins = views.map(({ origin }) => origin)
    const endpoints = Map.groupBy(
      origins.flatMap((origin) => origin.endpoints),
      ({ endpoint, address }) => `${endpoint} ${address}`,
    )
    const unresolved = new Map(
      origins.flatMap((origin) => origin.unresolved.map((one) => [one.name, one] as const)),
    )
    const circuit = CIRCUITS.findLast((state) => origins.some((origin) => origin.circuit === state))
    return {
      site,
      balance: origins[0]!.balance,
      endpoints: [...endpoints.values()].map(mergeEndpoint),
      unresolved: [...unresolved.values()].map((one) => ({ ...one })),
      ...(circuit !== undefined && { circuit }),
    }
  })
}

function mergeEndpoint(states: readonly EndpointState[]): EndpointSummary {
  const [first] = states as readonly [EndpointState]
  const worst = states.reduce((a, b) => (STATES.indexOf(b.state) > STATES.indexOf(a.state) ? b : a))
  const sum = (key: 'active' | 'connections' | 'waiting' | 'requests' | 'errors' | 'ejections') =>
    states.reduce((total, state) => total + state[key], 0)
  const full = states.find((state) => state.full !== undefined)?.full
  return {
    endpoint: first.endpoint,
    address: first.address,
    state: worst.state,
    up: states.filter(({ state }) => state === 'up').length,
    of: states.length,
    weight: first.weight,
    share: Math.round((states.reduce((total, { share }) => total + share, 0) / states.length) * 100) / 100,
    backup: first.backup,
    ...(full !== undefined && { full }),
    active: sum('active'),
    connections: sum('connections'),
    waiting: sum('waiting'),
    requests: sum('requests'),
    errors: sum('errors'),
    ejections: sum('ejections'),
    ...(worst.reason !== undefined && { reason: worst.reason }),
  }
}
