/**
 * A process that asks a shared limiter as fast as it can, for tests with several of them.
 *
 * It says `ready`, begins when a word in shared memory says so, and counts what it was given in a word of its own there: so that the count is
 * known also of a process that was killed.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { createSharedWords, openSharedWords, type SharedWords } from '../base/shared-words.ts'
import { layRegion, type LimiterPlan, regionWords } from './region.ts'
import { SharedLimiter } from './shared-limiter.ts'

interface Orders {
  readonly plan: LimiterPlan
  readonly region: string
  readonly tally: string
  readonly worker: number
  readonly keys: number
  /** Questions; without, until it is killed. */
  readonly calls?: number
}

const GO = 0
/** A moment for all questions: nothing comes back. */
export const NOW = 1_000_000_000
/** Words of the tally of one worker: what it was given, and what it has asked. */
const GIVEN = 16

export interface Ground {
  readonly plan: LimiterPlan
  readonly region: SharedWords
  readonly tally: SharedWords
}

export function layGround(plan: LimiterPlan): Ground {
  const region = createSharedWords(regionWords(plan))
  layRegion(region.words, plan, randomBytes(16))
  return { plan, region, tally: createSharedWords(1024) }
}

/** Starts a process and waits until it is ready to ask. */
export async function hammer(
  { plan, region, tally }: Ground,
  worker: number,
  { keys = 1, calls }: { keys?: number; calls?: number } = {},
): Promise<ChildProcess> {
  const orders: Orders = {
    plan,
    region: region.path,
    tally: tally.path,
    worker,
    keys,
    ...(calls === undefined ? {} : { calls }),
  }
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), JSON.stringify(orders)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout!, 'data')
  return child
}

export const go = ({ tally }: Ground): void => void Atomics.store(tally.words, GO, 1)

export const askedBy = ({ tally }: Ground, worker: number): number =>
  Atomics.load(tally.words, GIVEN * (worker + 1) + 1)

/** What all processes were given. */
export function given({ tally }: Ground): number {
  let sum = 0
  for (let at = GIVEN; at < tally.words.length; at += GIVEN) sum += Atomics.load(tally.words, at)
  return sum
}

function run({ plan, region, tally, worker, keys, calls = Infinity }: Orders): void {
  const counts = openSharedWords(tally)
  const limiter = new SharedLimiter(plan, openSharedWords(region), { worker })
  const texts = Array.from({ length: keys }, (_, i) => `key ${i}`)
  const at = GIVEN * (worker + 1)
  process.stdout.write('ready\n')
  while (Atomics.load(counts, GO) === 0) Atomics.load(counts, GO)
  for (let i = 0; i < calls; i++) {
    if (limiter.take(texts[i % keys]!, 1, NOW).allowed) counts[at]! += 1
    counts[at + 1]! += 1
  }
}

if (import.meta.main) run(JSON.parse(process.argv[2]!) as Orders)
