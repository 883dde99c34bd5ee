/**
 * Orders the changes of all nodes in logs that an engine keeps for several control planes: each plans on its replica, and appends where the replica
 * stands. Who comes second reads on and plans again. What was sent before, to whichever of them, is found by its marker.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { EdgeError } from '../../base/errors.ts'
import type { KvUplink, KvUplinkAnswer, KvUplinkBatch, KvUplinkPart } from '../../contract/kv-replication.ts'
import { KV_BUCKETS, type SharedLog } from '../../contract/shared-log.ts'
import { MARKER_MS_MAX, MARKERS_AT_ONCE } from './authority.ts'
import { checkBatch } from './check-batch.ts'
import { bucketOf } from './encoding.ts'
import { type Removal, SharedBucket, type SharedBucketOptions } from './shared-bucket.ts'

export interface SharedAuthorityOptions extends Omit<SharedBucketOptions, 'bucket' | 'log'> {
  /** By bucket. */
  readonly log: (bucket: number) => SharedLog
  readonly db: DatabaseSync
}

const SWEPT_AT_ONCE = 500

export class SharedAuthority implements KvUplink {
  readonly #options: SharedAuthorityOptions
  readonly #all: readonly SharedBucket[]
  readonly #expired: StatementSync

  constructor(options: SharedAuthorityOptions) {
    this.#options = options
    this.#all = Array.from(
      { length: KV_BUCKETS },
      (_, bucket) => new SharedBucket({ ...options, bucket, log: options.log(bucket) }),
    )
    this.#expired = options.db.prepare(
      'SELECT namespace, key FROM entry WHERE expires > 0 AND expires <= ? LIMIT ?',
    )
  }

  /**
   * Takes the part of this node in the logs. Throws `store-foreign` where it has data of its own and others have some there already, and what the engine
   * throws where that cannot be found out; nothing has changed then.
   */
  async start(): Promise<void> {
    const { buckets } = this.#options
    if (!buckets.hasRole) {
      await this.#assertNobodyElses()
      buckets.takeRole()
    }
    for (const bucket of this.#all) bucket.start()
  }

  async #assertNobodyElses(): Promise<void> {
    const { log, replica, buckets } = this.#options
    const own = this.#all
      .map((_, bucket) => bucket)
      .filter((bucket) => replica.namespacesOf(bucket).length > 0)
    await Promise.all(
      own.map(async (bucket) => {
        const there = await log(bucket).head()
        if (there.id === 0 || there.log === buckets.position(bucket).log) return
        const [namespace] = replica.namespacesOf(bucket)
        throw new EdgeError(
          'store-foreign',
          `this node has key/value data of its own (such as of ${namespace}), and the engine has data of others`,
          {
            hint: 'give the node a `store.path` of its own, or move its kv.db away to take over what is there',
          },
        )
      }),
    )
  }

  async send(batch: KvUplinkBatch, from?: string): Promise<readonly KvUplinkAnswer[]> {
    const { parts } = checkBatch(batch)
    return Promise.all(parts.map((part: KvUplinkPart) => this.#all[part.bucket]!.order(part, from)))
  }

  /** Keys whose time is over go from the log, too, and so do edges that have gone for good. */
  sweep(): void {
    const { clock, buckets } = this.#options
    const now = clock.now()
    const removals = new Map<number, Removal[]>()
    const add = (bucket: number, removal: Removal) =>
      removals.set(bucket, [...(removals.get(bucket) ?? []), removal])
    const expired = this.#expired.all(now, SWEPT_AT_ONCE)
    for (const row of expired) {
      const namespace = row['namespace'] as string
      add(bucketOf(namespace), { kind: 'expired', namespace, key: row['key'] as string })
    }
    for (const { bucket, instance } of buckets.markersBefore(now - MARKER_MS_MAX, MARKERS_AT_ONCE))
      add(bucket, { kind: 'marker', instance, before: now - MARKER_MS_MAX })
    for (const [bucket, all] of removals) this.#all[bucket]!.remove(all)
  }

  /** Whether the engine may have an entry that has not come here yet. */
  mayBeBehind(bucket: number, id: number): boolean {
    return this.#all[bucket]!.mayBeBehind(id)
  }

  /** Comes to where the logs are now. Throws what the engine does. */
  async catchUp(): Promise<void> {
    await Promise.all(this.#all.map((bucket) => bucket.catchUp()))
  }

  close(): void {
    for (const bucket of this.#all) bucket.close()
  }
}
