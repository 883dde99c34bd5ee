/**
 * Runs the whole suite: its parts some at a time, what they say in order, and the closing counts of all.
 *
 * A suite of some minutes takes hours where the host of this machine takes nine tenths of its cores away, in gaps of seconds. There
 * a part that fails is run once more at the end, and is told; and after a time no part is begun any more: those count as skipped,
 * each by its name. On a machine that has its cores neither happens.
 */
import { availableParallelism } from 'node:os'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { partsOf, type Part } from './parts.ts'

/** How much of a core this machine must give to count as sound. */
const SHARE_MIN = 0.5
const SPIN_MS = 1000
/** In a loop that does nothing else, a longer time between two looks at the clock was taken away. */
const GAP_MS = 1
const STARVED_MINUTES = 40
/** Many tests start whole nodes of several processes each: more at a time would only make them wait for each other. */
export const LANES = Math.max(2, Math.ceil(availableParallelism() / 2))

interface Counts {
  tests: number
  suites: number
  passed: number
  failed: number
  cancelled: number
  skipped: number
  todo: number
}

type Event = { type: string; data: Record<string, unknown> }

interface Outcome {
  readonly events: readonly Event[]
  readonly counts: Counts
  readonly isGood: boolean
}

export async function runAll(
  patterns: readonly string[],
  nodeOptions: readonly string[],
  timeoutMs: number,
): Promise<number> {
  const startedAt = performance.now()
  const share = shareOfACore()
  const isStarved = share < SHARE_MIN
  const endMs = isStarved ? STARVED_MINUTES * 60_000 : Infinity
  const report = new Report()
  if (isStarved) {
    const percent = Math.round(share * 100)
    report.note(
      `this machine gives ${percent} % of a core: what fails is run once more, and after ${STARVED_MINUTES} minutes no more is begun`,
    )
  }

  const runPart = ({ path }: Part) => outcomeOf(path, nodeOptions, timeoutMs)
  const queue = partsOf(patterns)
  const again: Part[] = []
  await inLanes(LANES + Number(isStarved), queue, async (part) => {
    if (performance.now() - startedAt > endMs) return report.leftOut(part)
    const outcome = await runPart(part)
    if (outcome.isGood || !isStarved) return report.add(outcome)
    report.note(`${part.name} failed, and is run once more:`, ...failuresOf(outcome))
    again.push(part)
  })
  await inLanes(LANES, again, async (part) => report.add(await runPart(part)))
  return report.end(performance.now() - startedAt)
}

async function inLanes(count: number, parts: Part[], each: (part: Part) => Promise<void>): Promise<void> {
  const lane = async () => {
    for (let part = parts.shift(); part; part = parts.shift()) await each(part)
  }
  await Promise.all(Array.from({ length: count }, lane))
}

/** 0 to 1: how much of the time a thread that wants a core has it. */
function shareOfACore(): number {
  const startedAt = performance.now()
  let lostMs = 0
  let last = startedAt
  while (last - startedAt < SPIN_MS) {
    const now = performance.now()
    if (now - last > GAP_MS) lostMs += now - last
    last = now
  }
  return 1 - lostMs / (last - startedAt)
}

async function outcomeOf(path: string, nodeOptions: readonly string[], timeoutMs: number): Promise<Outcome> {
  const events: Event[] = []
  let counts: Counts | undefined
  let isGood = false
  const running = run({ files: [path], concurrency: 1, timeout: timeoutMs, execArgv: [...nodeOptions] })
  for await (const event of running as AsyncIterable<Event>) {
    // What is of no file is the sum of this run, of which the report makes one for all.
    if (event.data['file'] !== undefined) events.push(event)
    else if (event.type === 'test:summary') {
      counts = event.data['counts'] as Counts
      isGood = event.data['success'] === true
    }
  }
  if (!counts) throw new Error(`the run of ${path} ended without a summary`)
  return { events, counts, isGood }
}

function failuresOf({ events }: Outcome): string[] {
  return events
    .filter(({ type }) => type === 'test:fail')
    .map(({ data }) => {
      const { error } = data['details'] as { error?: Error }
      const cause =
        error?.cause instanceof Error ? error.cause.message : String(error?.cause ?? error?.message)
      return `  ${String(data['name'])}: ${cause.replaceAll(/\s+/g, ' ').slice(0, 300)}`
    })
}

class Report {
  readonly #reporter = new spec()
  readonly #sum: Counts = { tests: 0, suites: 0, passed: 0, failed: 0, cancelled: 0, skipped: 0, todo: 0 }

  constructor() {
    this.#reporter.pipe(process.stdout)
  }

  add({ events, counts }: Outcome): void {
    for (const event of events) this.#reporter.write(event)
    for (const name of Object.keys(this.#sum) as (keyof Counts)[]) this.#sum[name] += counts[name]
  }

  note(...lines: readonly string[]): void {
    for (const message of lines)
      this.#reporter.write({ type: 'test:diagnostic', data: { message, nesting: 0, level: 'info' } })
  }

  leftOut({ name }: Part): void {
    this.note(`${name} was not run: no time is left`)
    this.#sum.tests += 1
    this.#sum.skipped += 1
  }

  /** The closing counts, then what failed, as the runner of Node has them. The exit code. */
  end(durationMs: number): number {
    const { tests, suites, passed, failed, cancelled, skipped, todo } = this.#sum
    const counts = { tests, suites, pass: passed, fail: failed, cancelled, skipped, todo }
    for (const [name, count] of Object.entries(counts)) this.note(`${name} ${count}`)
    this.note(`duration_ms ${durationMs}`)
    const isGood = failed === 0 && cancelled === 0
    this.#reporter.end({
      type: 'test:summary',
      data: { counts: this.#sum, success: isGood, duration_ms: durationMs },
    })
    return isGood ? 0 : 1
  }
}
