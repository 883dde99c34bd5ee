/**
 * A new version of a unit that is not live for everybody yet: staged, for a share of the clients of some edges, or a shadow, whose
 * answers nobody sees.
 *
 * It lies in the unit's pointer in the store, so every edge that has the store does the same. How versions fare is told by each node
 * (`RolloutHealth`), and judged where the store is written.
 */
import type { HistogramValue } from './messages.ts'
import type { FailureReason, UnitVersion } from './unit.ts'

/** One step: this share of the clients of these edges. */
export interface RolloutStage {
  /** Names of `node.groups`. Empty: all edges. */
  readonly groups: readonly string[]
  /** Above 0, to 1. */
  readonly share: number
}

/** By how much the new version may be worse than the old one. */
export interface RolloutGate {
  /** Failed runs a request: how much of a share more than the old version's, 0 to 1. */
  readonly errors: number
  /** Answers with a status of 500 or more, likewise. */
  readonly serverErrors: number
  /** How many times the CPU and wall time of the old version a run may take. */
  readonly latency: number
  /** Requests that ran the new version in a step before the next one begins. */
  readonly minRuns: number
}

export const DEFAULT_GATE: RolloutGate = { errors: 0.01, serverErrors: 0.01, latency: 2, minRuns: 50 }
/** How long a step lasts at least. */
export const DEFAULT_STEP_MS = 60_000

/** `running` and `paused` are under way; the others say how it ended. */
export type RolloutState = 'running' | 'paused' | 'done' | 'rolled-back'

interface RolloutBase {
  readonly version: number
  /** The version that was live when it began. */
  readonly from: number
  readonly state: RolloutState
  /** Why it is paused or was rolled back. */
  readonly reason?: string
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /** When the step, or the state it is in now, began. */
  readonly since: number
}

export interface StagedRollout extends RolloutBase {
  readonly kind: 'staged'
  readonly stages: readonly RolloutStage[]
  /** Index of the stage that is in force. */
  readonly step: number
  readonly stepForMs: number
  readonly gate: RolloutGate
}

export interface ShadowRollout extends RolloutBase {
  readonly kind: 'shadow'
  /** Of the clients whose requests it runs on. */
  readonly share: number
  /** Its `fetch` goes out for GET and HEAD. */
  readonly mayFetch: boolean
}

export type Rollout = StagedRollout | ShadowRollout

export const isUnderWay = (rollout: Rollout | undefined): rollout is Rollout =>
  rollout?.state === 'running' || rollout?.state === 'paused'

/** A rollout as the data plane takes it. `Unit` is less than a version where the receiver holds that. */
export type LiveRollout<Unit = UnitVersion> =
  | {
      readonly kind: 'staged'
      readonly unit: Unit
      /** Up to the one in force: a node has the largest share of those that name it. */
      readonly stages: readonly RolloutStage[]
    }
  | { readonly kind: 'shadow'; readonly unit: Unit; readonly share: number }

/**
 * What one node counted of one version. Counters go up for as long as the `instance` lasts; a node that starts anew has another one.
 */
export interface RolloutSample {
  readonly node: string
  readonly instance: string
  /** How long the instance has counted, in milliseconds. */
  readonly countedForMs: number
  readonly unit: string
  readonly version: number
  /** Requests that met it and were answered. */
  readonly requests: number
  /** Of these, answered with 500 or more. */
  readonly serverErrors: number
  readonly errors: Readonly<Partial<Record<FailureReason, number>>>
  readonly cpuSeconds: HistogramValue | undefined
  readonly wallSeconds: HistogramValue | undefined
  /** A breaker of it is not closed. */
  readonly isBreakerOpen: boolean
  /** Why it is in quarantine there. */
  readonly quarantined?: FailureReason | undefined
  readonly shadow: ShadowCounts
  /** The last differences of a shadow. */
  readonly examples: readonly ShadowExample[]
}

/** Requests that a shadow was to run on. */
export interface ShadowCounts {
  readonly same: number
  readonly different: number
  /** It failed, and the live version did not. */
  readonly failed: number
  /** Left out because too much was under way. */
  readonly skipped: number
}

/** One request on which a shadow decided otherwise. Without values: these may be secrets. */
export interface ShadowExample {
  readonly unit: string
  readonly version: number
  readonly at: number
  readonly method: string
  /** As received, without the query. */
  readonly path: string
  readonly phase: string
  /** What each version did: `passed`, `answered 403`, `failed (throw)`. */
  readonly live: string
  readonly shadow: string
  /** What else differs: `request.path`, `response header x-a`, `body`. */
  readonly differs: readonly string[]
}

/** Where samples come from: this node, and others that follow its store. */
export interface RolloutHealth {
  /** Of the versions that are in a rollout now, live ones and new ones. Never throws: who does not answer is left out. */
  samples(): Promise<readonly RolloutSample[]>
}
