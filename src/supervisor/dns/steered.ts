/** How a client is answered that asks for a steered name: asked of all workers, each of which steers by itself. */
import { parseCidr } from '../../base/cidr.ts'
import { EdgeError } from '../../base/errors.ts'
import type { DnsSteeringExplanation } from '../../contract/dns.ts'
import type { FromWorker } from '../../contract/messages.ts'
import type { SteeredSummary } from '../../control/dns-shapes.ts'
import type { WorkerPool } from '../workers/worker-pool.ts'

type Steered = Extract<FromWorker, { kind: 'steered' }>

let lastId = 0

/** One for each server block that has the name. Throws `request-invalid`; `worker-failed` where no worker answers in time. */
export async function askSteered(
  pool: WorkerPool,
  name: string,
  client: string,
  withinMs: number,
): Promise<readonly SteeredSummary[]> {
  if (parseCidr(client) === undefined)
    throw new EdgeError(
      'request-invalid',
      `client=${client}: expected an address or a prefix, such as 203.0.113.7 or 203.0.113.0/24`,
    )
  const answers = await Promise.allSettled(
    pool.ready().map((worker) => {
      const id = ++lastId
      const isAnswer = (heard: FromWorker): heard is Steered => heard.kind === 'steered' && heard.id === id
      return worker.ask({ kind: 'steer', id, name, client }, isAnswer, withinMs)
    }),
  )
  const told = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value.explanations] : []))
  if (told.length === 0)
    throw new EdgeError('worker-failed', `no worker told how it steers within ${withinMs / 1000} s`)
  return mergeSteered(told)
}

/** One list a worker. What the first one says, and how many say the same. */
export function mergeSteered(
  told: readonly (readonly DnsSteeringExplanation[])[],
): readonly SteeredSummary[] {
  return told[0]!.map((first, index) => {
    const { place, steps, chosen, ...rest } = first
    const agreeing = told.filter((one) => String(one[index]?.chosen) === String(chosen)).length
    return {
      ...rest,
      place: { ...place },
      steps: steps.map(({ filter, kept, removed }) => ({
        filter,
        kept: [...kept],
        removed: removed.map((one) => ({ ...one })),
      })),
      chosen: [...chosen],
      workers: { agreeing, asked: told.length },
    }
  })
}
