/**
 * Who keeps a node's key/value data, by what the node is: the one that orders all changes in its own file, one that orders them in logs that an engine
 * keeps, or an edge that follows.
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import type { KvLimits, KvOperation, KvResult } from '../contract/kv.ts'
import type { KvFeed, KvIntake, KvUplink } from '../contract/kv-replication.ts'
import type { SharedLog } from '../contract/shared-log.ts'
import type { After } from './replication/after.ts'
import { KvAuthority } from './replication/authority.ts'
import { Buckets } from './replication/buckets.ts'
import { BucketFeed } from './replication/feed.ts'
import { Outbox, type Waitable } from './replication/outbox.ts'
import { KvReplica } from './replication/replica.ts'
import { KvSender } from './replication/sender.ts'
import { SharedAuthority } from './replication/shared-authority.ts'
import { kvError, KvTable, type NamespaceUsage } from './table.ts'
import { KvWriter } from './writer.ts'

export type KvRole =
  /** Orders all changes here, and keeps logs from when the first edge follows. */
  | { readonly kind: 'authority' }
  /** Orders changes in these logs, by bucket, as other control planes do. */
  | {
      readonly kind: 'shared'
      readonly log: (bucket: number) => SharedLog
      readonly onProblem: (error: Error) => void
    }
  /** Sends its changes there, and is given the logs. */
  | { readonly kind: 'edge'; readonly uplink: KvUplink }

export interface KvKeeperOptions {
  readonly path: string
  readonly words: Int32Array
  readonly clock: Clock
  readonly limits: KvLimits
  /** Of a bucket's log, for those who lag behind. */
  readonly keepEntries?: number
  readonly keepBytes?: number
  /** Changes that may wait for the control plane. */
  readonly outboxBytesMax?: number
  /** How long somebody waits for what the control plane has to do. */
  readonly strongTimeoutMs?: number
  readonly after?: After
  readonly random?: () => number
}

export interface KvKeeper {
  /**
   * Whoever orders in the logs of an engine begins to, once the node knows that the engine is the one of its store; before that, nothing there or here
   * has changed. Others need not be told. Throws `store-foreign` where the data here is its own and the engine has others'.
   */
  readonly start?: () => Promise<void>
  limits: KvLimits
  readonly usage: readonly NamespaceUsage[]
  /** What this node may do first: no `compareAndSet` and no `get`, where `strong` is there. Visible to all its readers when this returns. */
  apply(operations: readonly KvOperation[], durable: boolean): readonly KvResult[]
  /** Done by whoever orders all changes, on the disk there, and then visible here. Absent: that is this node, and `apply` does it. */
  readonly strong?: (operations: readonly KvOperation[]) => Promise<readonly KvResult[]>
  /** Takes away some of what has expired. True while there may be more. */
  sweep(): boolean
  /** For the metrics. */
  counts(): Readonly<Record<string, number>>
  /** Why changes do not get to whoever orders them; undefined: they do. */
  readonly problem: string | undefined
  close(): void
  /** Where edges bring their changes, and what they follow. Of an edge: none. */
  readonly uplink?: KvUplink | undefined
  readonly feed?: KvFeed | undefined
  /** Where an edge is given the logs. */
  readonly intake?: KvIntake | undefined
}

/** Opens the file. Throws `EdgeError`. */
export function openKeeper(role: KvRole, options: KvKeeperOptions): KvKeeper {
  try {
    return role.kind === 'authority' ? new Alone(options) : new Following(role, options)
  } catch (error) {
    throw kvError(options.path, error)
  }
}

const keepOf = ({ keepEntries = 10_000, keepBytes = 16 * 1024 * 1024 }: KvKeeperOptions) => ({
  keepEntries,
  keepBytes,
})

class Alone implements KvKeeper {
  readonly problem = undefined
  readonly uplink: KvAuthority
  readonly #writer: KvWriter

  constructor(options: KvKeeperOptions) {
    const { path, words, clock, limits } = options
    this.#writer = new KvWriter({ name: 'kv', path, words, clock, limits })
    this.uplink = new KvAuthority({ writer: this.#writer, clock, keep: keepOf(options) })
  }

  get limits(): KvLimits {
    return this.#writer.limits
  }

  set limits(limits: KvLimits) {
    this.#writer.limits = limits
  }

  get usage(): readonly NamespaceUsage[] {
    return this.#writer.usage
  }

  get feed(): KvFeed {
    return this.uplink.feed
  }

  apply(operations: readonly KvOperation[], durable: boolean): readonly KvResult[] {
    return this.#writer.apply(operations, durable)
  }

  sweep(): boolean {
    this.uplink.sweep()
    return this.#writer.sweep()
  }

  counts(): Readonly<Record<string, number>> {
    return this.#writer.counts()
  }

  close(): void {
    this.uplink.close()
    this.#writer.close()
  }
}

class Following implements KvKeeper {
  readonly uplink: SharedAuthority | undefined
  readonly feed: BucketFeed | undefined
  readonly intake: KvIntake | undefined
  readonly #table: KvTable
  readonly #outbox: Outbox
  readonly #replica: KvReplica
  readonly #sender: KvSender
  #limits: KvLimits
  #writes = 0

  constructor(role: Exclude<KvRole, { kind: 'authority' }>, options: KvKeeperOptions) {
    const {
      path,
      words,
      clock,
      strongTimeoutMs = 5000,
      outboxBytesMax = 64 * 1024 * 1024,
      after,
      random,
    } = options
    this.#limits = options.limits
    this.#table = new KvTable({ name: 'kv', path, words })
    try {
      const { db } = this.#table
      const keep = role.kind === 'shared' ? keepOf(options) : { keepEntries: 0, keepBytes: 0 }
      const isRoleTakenLater = role.kind === 'shared' && this.#table.usages.length > 0
      const buckets = new Buckets(db, { role: 'replica', isRoleTakenLater, ...keep })
      this.#outbox = new Outbox(db, () => randomBytes(12).toString('base64url'))
      this.#replica = new KvReplica({
        table: this.#table,
        buckets,
        outbox: this.#outbox,
        clock,
        limits: options.limits,
        outboxBytesMax,
        onApplied: (bucket, entries) => {
          this.#sender.advanced(bucket)
          this.feed?.tell(bucket, entries)
        },
      })
      if (role.kind === 'edge') this.intake = this.#replica
      else {
        this.feed = new BucketFeed(
          path,
          () => buckets,
          (bucket, id) => this.uplink!.mayBeBehind(bucket, id),
        )
        this.uplink = new SharedAuthority({
          log: role.log,
          replica: this.#replica,
          buckets,
          db,
          seed: (bucket) => this.feed!.state(bucket).entries,
          clock,
          terms: () => ({ now: clock.now(), limits: this.#limits }),
          onProblem: role.onProblem,
          after,
          random,
        })
      }
      this.#sender = new KvSender({
        outbox: this.#outbox,
        uplink: role.kind === 'edge' ? role.uplink : this.uplink!,
        positionOf: (bucket) => buckets.position(bucket),
        strongTimeoutMs,
        ...(after && { after }),
        ...(random && { random }),
      })
    } catch (error) {
      this.#table.close()
      throw kvError(path, error)
    }
  }

  async start(): Promise<void> {
    await this.uplink?.start()
  }

  get limits(): KvLimits {
    return this.#limits
  }

  set limits(limits: KvLimits) {
    this.#limits = limits
    this.#replica.limits = limits
  }

  get problem(): string | undefined {
    return this.#sender.problem
  }

  get usage(): readonly NamespaceUsage[] {
    return this.#table.usages
  }

  apply(operations: readonly KvOperation[], durable: boolean): readonly KvResult[] {
    const results = this.#replica.apply(operations as readonly Waitable[], durable)
    this.#writes += operations.length
    this.#sender.kick(operations.map(({ namespace }) => namespace))
    return results
  }

  readonly strong = async (operations: readonly KvOperation[]): Promise<readonly KvResult[]> => {
    this.#writes += operations.length
    return Promise.all(operations.map((operation) => this.#sender.strong(operation)))
  }

  /** An edge leaves it to the control plane, whose log then says that they are gone: so all have the same. */
  sweep(): boolean {
    this.uplink?.sweep()
    return false
  }

  counts(): Readonly<Record<string, number>> {
    return {
      writes: this.#writes,
      outbox: this.#outbox.rows,
      outboxBytes: this.#outbox.bytes,
      refused: this.#replica.refused,
      batches: this.#sender.batches,
    }
  }

  close(): void {
    this.#sender.close()
    this.uplink?.close()
    this.#table.close()
  }
}
