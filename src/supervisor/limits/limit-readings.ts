/** What the limits of this node did: counted by its workers, those that have ended too, and who asked most of one, put together of all workers. */
import { EdgeError } from '../../base/errors.ts'
import { limiterPlanOf } from '../../limit/configured-plan.ts'
import type { LimitConfig } from '../../config/schema.ts'
import type { LimitOutcome, ServedLimit } from '../../contract/limits.ts'
import type { FromWorker, MetricSample } from '../../contract/messages.ts'
import type { LimitSummary, LimitTopSummary } from '../../control/limit-shapes.ts'
import type { LimitName } from '../../control/node.ts'
import { mergeHitters } from '../../limit/heavy-hitters.ts'
import type { WorkerPool } from '../workers/worker-pool.ts'

type Answer = Extract<FromWorker, { kind: 'limitTop' }>

/** Keys that a worker is asked for, for one that is wanted: who asks most of all need not ask most of each. */
const TOP_FACTOR = 4

let lastId = 0

/** `keysOf` tells how many keys have a place of their own. */
export function limitSummaries(
  limits: readonly ServedLimit[],
  samples: readonly MetricSample[],
  keysOf: (limit: ServedLimit) => number | undefined,
): LimitSummary[] {
  const decisions = samples.filter(({ name }) => name === 'orla_limit_decisions_total')
  return limits.map((limit) => {
    const { site, config } = limit
    const of = decisions.filter(({ labels }) => labels['site'] === site && labels['limit'] === config.name)
    const count = (outcome: LimitOutcome) =>
      of.reduce((sum, { labels, value }) => sum + (labels['outcome'] === outcome ? Number(value) : 0), 0)
    const keys = keysOf(limit)
    return {
      site,
      name: config.name,
      kind: config.kind,
      policy: policyText(config),
      dryRun: config.dryRun,
      allowed: count('allowed'),
      refused: count('refused'),
      wouldRefuse: count('dry_run'),
      waited: count('waited'),
      ...(keys !== undefined && { keys }),
      ...(keys !== undefined && config.kind === 'rate' && { keysMax: limiterPlanOf(config).keysMax }),
    }
  })
}

const byText = (key: readonly string[] | undefined): string =>
  key === undefined ? 'by keys of units' : `by ${key.join(' and ')}`

/** `10 in 1m by address`, `3 at once by header:x-key`, `1048576 bytes a second`. */
function policyText(config: LimitConfig): string {
  switch (config.kind) {
    case 'rate':
      return `${config.rate.count} in ${timeText(config.rate.windowMs)} ${byText(config.key)}`
    case 'concurrency':
      return `${config.max} at once ${byText(config.key)}`
    case 'bandwidth':
      return `${config.bytesPerSecond} bytes a second`
  }
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const

/** As the configuration has it: in the largest unit that is whole. */
function timeText(ms: number): string {
  const unit = UNITS.find(([, size]) => ms % size === 0)
  return unit === undefined ? `${ms}ms` : `${ms / unit[1]}${unit[0]}`
}

/** The limit that is meant. Throws `limit-unknown`, or `request-invalid` where it could be several. */
export function limitNamed(limits: readonly ServedLimit[], { name, site }: LimitName): ServedLimit {
  if (name === '') throw new EdgeError('request-invalid', 'name: expected the name of a limit')
  const called = limits.filter((limit) => limit.config.name === name)
  const found = site === undefined ? called : called.filter((limit) => limit.site === site)
  const [first, second] = found
  if (first === undefined) {
    const where = site === undefined || site === '' ? '' : ` of the site ${site.slice(0, 80)}`
    throw new EdgeError('limit-unknown', `there is no limit ${name.slice(0, 80)}${where}`)
  }
  if (second === undefined) return first
  const owners = found.map((limit) => (limit.site === '' ? 'none (over all sites)' : limit.site)).join(', ')
  throw new EdgeError(
    'request-invalid',
    `${name} is the name of several limits: say of which site, ${owners}`,
  )
}

/** A worker that does not answer in time is left out. Fails with `worker-failed` if that is all of them. */
export async function askLimitTop(
  pool: WorkerPool,
  { site, config: { name } }: ServedLimit,
  count: number,
  withinMs: number,
): Promise<LimitTopSummary[]> {
  const answers = await Promise.allSettled(
    pool.ready().map((worker) => {
      const id = ++lastId
      const isAnswer = (heard: FromWorker): heard is Answer => heard.kind === 'limitTop' && heard.id === id
      const question = { kind: 'limitTop', id, site, name, count: count * TOP_FACTOR } as const
      return worker.ask(question, isAnswer, withinMs)
    }),
  )
  const told = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value.top ?? []] : []))
  if (told.length === 0)
    throw new EdgeError('worker-failed', `no worker told of its limits within ${withinMs / 1000} s`)
  return mergeHitters(told, count).map((one) => ({ site, name, ...one }))
}
