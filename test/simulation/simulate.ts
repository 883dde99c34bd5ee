/** One seed, from beginning to end: what went wrong, in words, with what happened before. */
import type { Disks } from './disks.ts'
import type { LogEntry } from '../../src/contract/store.ts'
import { check, type Event, type Recorded, type Violation } from './history.ts'
import { refuses } from './simulated-workers.ts'
import { World, type Faulty } from './world.ts'

export interface Outcome {
  /** Undefined where all rules held. */
  readonly failure: string | undefined
  readonly events: number
  readonly entries: number
}

const TROUBLE_MS = 20_000
/** A silent connection is noticed, and the longest back-off is over. */
const PEACE_MS = 40_000
/** The last change is done, or its time is up and it is withdrawn. */
const QUIET_MS = 25_000
/** Events that are shown before what went wrong. */
const SHOWN = 60

export async function simulate(seed: number, disks: Disks, faulty: Faulty = {}): Promise<Outcome> {
  const world = new World(seed, disks, faulty)
  try {
    await world.run(TROUBLE_MS, PEACE_MS, QUIET_MS)
    const { log, recorder } = world
    const { events } = recorder
    const isRefused = (code: string, node: string) => refuses({ code }, node) && !world.mayRunUntried(node)
    const found = faulty.losesWrites ? checkLosing(log, events) : check(log, events, isRefused)
    const violation =
      found ?? (world.problem === undefined ? undefined : { problem: world.problem, after: events.length })
    const failure = violation && describe(seed, violation.problem, events.slice(0, violation.after))
    return { failure, events: events.length, entries: log.length }
  } finally {
    world.close()
  }
}

/** Where an engine loses what it acknowledged, replicas go back: but they come together, and who had it says so. */
function checkLosing(log: readonly LogEntry[], events: readonly Recorded[]): Violation | undefined {
  const found = check(
    log,
    events.filter(({ event }) => event.kind === 'ended'),
  )
  if (found) return { ...found, after: events.length }
  const isSaid = events.some(
    ({ event }) =>
      event.kind === 'note' && /went another way|has lost what was acknowledged/.test(event.line),
  )
  const lost = events.find(
    ({ event }) => event.kind === 'acknowledged' && log[event.at.id - 1]?.hash !== event.at.hash,
  )
  if (!lost || isSaid) return undefined
  return {
    problem: `${lost.who}: a write that was acknowledged is lost, and nobody was told`,
    after: events.length,
  }
}

function describe(seed: number, problem: string, events: readonly Recorded[]): string {
  const shown = events.slice(-SHOWN).map(({ atMs, who, event }) => `  ${atMs} ms  ${who}  ${wordsOf(event)}`)
  return [`seed ${seed}: ${problem}`, 'what happened before:', ...shown].join('\n')
}

function wordsOf(event: Event): string {
  switch (event.kind) {
    case 'note':
      return event.line
    case 'attempt':
      return `append up to ${event.last.id}: ${event.outcome}`
    case 'acknowledged':
      return `acknowledged: ${event.plannedAt + 1} to ${event.at.id}`
    case 'advanced':
      return `its replica is at ${event.at.id}`
    case 'read':
      return `a reader meets ${JSON.stringify(event.content)} at ${event.at.id}`
    case 'took':
      return `begins with ${event.took.join(', ')}`
    case 'published':
      return `${event.id} is live on ${event.nodes.join(', ')}`
    case 'ended':
      return `ends at ${event.at.id}, and runs ${event.live}`
  }
}
