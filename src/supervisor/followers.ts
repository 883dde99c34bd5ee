/**
 * Parts of the node that change with the configuration, beside what workers are served with: certificates, telemetry, quotas.
 *
 * A reload asks all of them before anything changes, and one that refuses refuses it whole. What they answered is done once every worker
 * serves with the new set.
 */
import type { Config } from '../config/schema.ts'

export interface Follower {
  /** Reads and checks what this configuration names. Throws `EdgeError` where it cannot be followed; changes nothing. */
  follow(config: Config): Step
}

export interface Step {
  /** Paths of what changes though the configuration says the same: what stands in files. */
  readonly changed?: readonly string[]
  /** In the turn of the change, when the store stands still: throws where what is live could not go on with it. */
  verify?(): void
  /** The new set is live. What it returns never rejects; who asked for the reload is answered when it is done. */
  use(): void | Promise<void>
}
