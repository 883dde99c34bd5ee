/**
 * Moves rollouts on: looks at them every second, judges the new version by what all nodes counted since the step began, and asks for the
 * next step, or for the end.
 *
 * What it knows lies in the store and in the nodes' counts, so it may end and begin anew at any moment: then the step's time begins anew.
 */
import { RegularLook } from './regular-look.ts'
import type { Clock } from '../../base/clock.ts'
import type { UnitSet } from '../../contract/messages.ts'
import type { Rollout, RolloutHealth, RolloutSample, StagedRollout } from '../../contract/rollout.ts'
import type { StoreView } from '../../contract/store.ts'
import { CountsWindow, type Counts } from '../../unit/rollout/counts.ts'
import type { SeenStep } from '../../unit/rollout/changes.ts'
import { judge, type Judgement } from '../../unit/rollout/gate.ts'
import { readPointer } from '../../unit/records.ts'

/** What it asks for. Each does nothing where the rollout has moved on meanwhile. */
export interface RolloutActs {
  advance(name: string, seen: SeenStep): Promise<void>
  rollBack(name: string, version: number, reason: string): Promise<void>
}

export interface RolloutControllerOptions {
  readonly clock: Clock
  readonly store: StoreView
  /** The set that is live: with no rollout in it, nothing is looked at. */
  readonly live: () => UnitSet
  /** This node, and others that follow its store. */
  readonly health: readonly RolloutHealth[]
  readonly acts: RolloutActs
  readonly warn: (line: string) => void
}

/** How a step does. */
export interface StepStanding {
  readonly judgement: Judgement
  readonly elapsedMs: number
  readonly next: Counts
  readonly old: Counts
}

const EVERY_MS = 1000
/** Nobody says whether a version that met nobody is good: such a control plane may be one beside another, which has the edges. */
const NOTHING_SEEN: Judgement = { kind: 'waiting', requests: 0 }

/** One step, as long as it is watched. */
interface Watch {
  readonly key: string
  readonly beganMs: number
  readonly next: CountsWindow
  readonly old: CountsWindow
  /** Of the old version, since the rollout is watched: at 100 % nobody is left who runs it. */
  readonly oldAll: CountsWindow
  standing: StepStanding | undefined
}

export class RolloutController {
  readonly #options: RolloutControllerOptions
  readonly #watches = new Map<string, Watch>()
  /** Rollouts of which a change is under way. */
  readonly #acting = new Set<string>()
  readonly #regular: RegularLook

  constructor(options: RolloutControllerOptions) {
    this.#options = options
    this.#regular = new RegularLook({
      everyMs: EVERY_MS,
      work: () => this.#look(),
      failed: 'rollouts',
      warn: options.warn,
    })
  }

  start(): void {
    this.#regular.start()
  }

  stop(): void {
    this.#regular.stop()
    this.#watches.clear()
  }

  standing(name: string): StepStanding | undefined {
    return this.#watches.get(name)?.standing
  }

  look(): Promise<void> {
    return this.#regular.look()
  }

  async #look(): Promise<void> {
    const { live, health } = this.#options
    const { enabled, rollouts = {} } = live()
    const names = enabled ? Object.keys(rollouts) : []
    for (const name of this.#watches.keys()) if (!names.includes(name)) this.#watches.delete(name)
    if (names.length === 0) return
    const samples = (await Promise.all(health.map((one) => one.samples()))).flat()
    for (const name of names) this.#judge(name, samples)
  }

  #judge(name: string, samples: readonly RolloutSample[]): void {
    const { store, clock } = this.#options
    const rollout = readPointer(store, name)?.rollout
    if (rollout?.state !== 'running') {
      this.#watches.delete(name)
      return
    }
    const of = (version: number) => samples.filter((one) => one.unit === name && one.version === version)
    const next = of(rollout.version)
    const watch = rollout.kind === 'staged' ? this.#watchOf(name, rollout) : undefined
    const nowMs = clock.monotonic()
    watch?.next.take(next, nowMs)
    const old = of(rollout.from)
    watch?.old.take(old, nowMs)
    watch?.oldAll.take(old, nowMs)
    if (watch && rollout.kind === 'staged') {
      const { minRuns } = rollout.gate
      const oldCounts = watch.old.counts.requests >= minRuns ? watch.old.counts : watch.oldAll.counts
      const requests = watch.next.counts.requests + watch.old.counts.requests
      watch.standing = {
        judgement: requests === 0 ? NOTHING_SEEN : judge(watch.next.counts, oldCounts, rollout.gate),
        elapsedMs: nowMs - watch.beganMs,
        next: watch.next.counts,
        old: oldCounts,
      }
    }
    this.#act(name, rollout, outOfOrder(rollout, next), watch?.standing)
  }

  #watchOf(name: string, rollout: StagedRollout): Watch {
    const before = this.#watches.get(name)
    const of = `${rollout.version} ${rollout.startedAt}`
    const key = `${of} ${rollout.step} ${rollout.since}`
    if (before?.key === key) return before
    const beganMs = this.#options.clock.monotonic()
    const watch: Watch = {
      key,
      beganMs,
      next: new CountsWindow(beganMs),
      old: new CountsWindow(beganMs),
      oldAll: before?.key.startsWith(`${of} `) ? before.oldAll : new CountsWindow(beganMs),
      standing: undefined,
    }
    this.#watches.set(name, watch)
    return watch
  }

  #act(name: string, rollout: Rollout, broken: string | undefined, standing: StepStanding | undefined): void {
    const { acts } = this.#options
    const { version } = rollout
    const worse = broken ?? (standing?.judgement.kind === 'worse' ? standing.judgement.reason : undefined)
    if (worse !== undefined) {
      this.#once(name, () => acts.rollBack(name, version, worse))
    } else if (rollout.kind === 'staged' && standing?.judgement.kind === 'healthy') {
      const { step, stepForMs } = rollout
      if (standing.elapsedMs >= stepForMs) this.#once(name, () => acts.advance(name, { version, step }))
    }
  }

  /** Tried again with the next look, where it could not be done. */
  #once(name: string, act: () => Promise<void>): void {
    if (this.#acting.has(name)) return
    this.#acting.add(name)
    void act()
      .catch((error: Error) =>
        this.#regular.warn(`the rollout of ${name} could not be moved on: ${error.message}`),
      )
      .finally(() => this.#acting.delete(name))
  }
}

/** What no count is waited for. A shadow's breaker is of no consequence. */
function outOfOrder({ kind }: Rollout, next: readonly RolloutSample[]): string | undefined {
  for (const { node, quarantined, isBreakerOpen } of next) {
    const where = node === '' ? '' : ` on ${node}`
    if (quarantined !== undefined) return `it is in quarantine${where} (${quarantined})`
    if (kind === 'staged' && isBreakerOpen) return `its breaker opened${where}: it failed again and again`
  }
  return undefined
}
