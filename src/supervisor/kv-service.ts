/**
 * Key/value data of the node: the one place that writes it, or has it written by whoever orders the changes of all nodes.
 *
 * What workers ask for in one turn of the event loop is one transaction. A file that cannot be opened takes nothing down: whoever asks
 * is told why, and everything else goes on.
 */
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { EdgeError } from '../base/errors.ts'
import type { Config } from '../config/schema.ts'
import type { KvBatch, KvLimits, KvOperation, KvPage, KvResult, KvStoreName } from '../contract/kv.ts'
import type { MetricSample } from '../contract/messages.ts'
import { type KvKeeper, type KvRole, openKeeper } from '../kv/keeper.ts'
import { KvReader } from '../kv/reader.ts'
import type { NamespaceUsage } from '../kv/table.ts'
import { KvWriter } from '../kv/writer.ts'
import { fileIdentity } from './file-identity.ts'
import type { KvAsked, KvDone } from '../control/node.ts'
import type { Follower, Step } from './followers.ts'
import type { ApplyKv } from './handover/messages.ts'
import { KvPorts } from './kv-ports.ts'
import type { Log } from './log.ts'

export interface KvServiceOptions {
  /** The data directory. */
  readonly directory: string
  readonly clock: Clock
  readonly words: Int32Array
  readonly limits: Readonly<Record<KvStoreName, KvLimits>>
  readonly log: Log
  /** What this node is to others. Absent: it orders the changes itself. */
  readonly role?: KvRole
  /** Workers of a program before still use the cache. */
  readonly keepsCache?: boolean
}

interface Waiting {
  readonly batch: Pick<KvBatch, 'store' | 'writes' | 'durable' | 'strong'>
  readonly onDone: (results: readonly KvResult[]) => void
}

const SWEEP_MS = 5000
/** Between two parts of a long sweep, so that changes get in between. */
const SWEEP_PAUSE_MS = 20
/** The same trouble is told again after this. */
const WARN_EVERY_MS = 60_000

export const KV_FILES: Readonly<Record<KvStoreName, string>> = { kv: 'kv.db', cache: 'kv-cache.db' }

/** What both files have, whoever writes them. */
type Kept = Pick<KvKeeper, 'limits' | 'usage' | 'apply' | 'sweep' | 'close'>

export class KvService implements Follower {
  /** Where edges bring changes to and what they follow, or where this edge is given them. */
  readonly ports = new KvPorts(() => this.#kv())
  /** Paths of the files, for workers. */
  readonly paths: Readonly<Record<KvStoreName, string>>
  readonly #options: KvServiceOptions
  #limits: KvServiceOptions['limits']
  readonly #kept: { kv?: KvKeeper; cache?: KvWriter } = {}
  readonly #problems: Partial<Record<KvStoreName, EdgeError>> = {}
  /** What became of a file that is not there any more. */
  readonly #lost: Partial<Record<KvStoreName, () => string | undefined>> = {}
  readonly #reader: KvReader
  #waiting: Waiting[] = []
  #sweepTimer: NodeJS.Timeout | undefined
  #warnedAt = -Infinity
  /** Where changes go while another program has the files; undefined: here, or nowhere yet. */
  #elsewhere: ApplyKv | undefined
  #isStarted = false
  #isSuspended = false
  /** The other program serves, and the files do not come back. */
  #isOver = false

  constructor(options: KvServiceOptions) {
    this.#options = options
    this.#limits = options.limits
    const { directory, clock, words } = options
    this.paths = { kv: join(directory, KV_FILES.kv), cache: join(directory, KV_FILES.cache) }
    this.#openAll(options.keepsCache ?? false)
    this.#reader = new KvReader({ name: 'kv', path: this.paths.kv, clock, words })
    this.#sweepTimer = setTimeout(() => this.#sweep(), SWEEP_MS)
  }

  #openAll(keepsCache: boolean): void {
    for (const name of ['kv', 'cache'] as const) this.#open(name, keepsCache)
  }

  #open(name: KvStoreName, keepsCache: boolean): void {
    const { clock, words, log, role = { kind: 'authority' } } = this.#options
    const limits = this.#limits[name]
    const path = this.paths[name]
    try {
      if (name === 'cache') this.#kept.cache = new KvWriter({ name, path, clock, words, limits, keepsCache })
      else {
        this.#kept.kv = openKeeper(role, { path, clock, words, limits })
        this.ports.attach(this.#kept.kv)
      }
      this.#lost[name] = fileIdentity(path)
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error
      this.#problems[name] = error
      log.warn(`units have no edge.${name}: ${error.message}; ${error.hint}`)
    }
  }

  /** The node knows whose store it shares: from here on it takes part in the order of changes. Throws what `KvKeeper.start` does. */
  async start(): Promise<void> {
    this.#isStarted = true
    await this.#kept.kv?.start?.()
  }

  /** What a namespace holds beyond a smaller quota stays; more is refused, and of the cache let go. */
  follow({ edge }: Config): Step {
    return {
      use: () => {
        this.#limits = { kv: edge.kv, cache: edge.unitCache }
        for (const name of ['kv', 'cache'] as const) {
          const kept: Kept | undefined = this.#kept[name]
          if (kept) kept.limits = this.#limits[name]
        }
      },
    }
  }

  /** Changes that a worker asks for. */
  apply(batch: Waiting['batch'], onDone: Waiting['onDone']): void {
    if (this.#elsewhere) return this.#pass(this.#elsewhere, { batch, onDone })
    if (this.#waiting.push({ batch, onDone }) === 1) setImmediate(() => this.#commit())
  }

  /** Closes the files for another program. What is asked meanwhile waits for `resume` or `sendTo`; workers have one change each under way. */
  suspend(): void {
    clearTimeout(this.#sweepTimer)
    this.#commit()
    this.#isSuspended = true
    this.#closeAll()
  }

  /** The other program did not take them. */
  resume(): void {
    this.#isSuspended = false
    this.#elsewhere = undefined
    this.#openAll(true)
    if (this.#isStarted) {
      this.start().catch((error: Error) => this.#options.log.warn(`edge.kv follows nobody: ${error.message}`))
    }
    this.#commit()
    this.#sweep()
  }

  /** Another program writes, until `resume`. What it has not done when it ends waits for that. */
  sendTo(apply: ApplyKv): void {
    this.#elsewhere = apply
    for (const waiting of this.#waiting.splice(0)) this.#pass(apply, waiting)
  }

  /** It writes for good. What it does not do is not done. */
  leave(): void {
    this.#isOver = true
  }

  #pass(apply: ApplyKv, waiting: Waiting): void {
    apply(waiting.batch, (results) => {
      const isAnswered = results.length > 0 || this.#isOver
      if (isAnswered) waiting.onDone(results)
      else this.#waiting.push(waiting)
    })
  }

  #closeAll(): void {
    for (const name of ['kv', 'cache'] as const) {
      this.#kept[name]?.close()
      delete this.#kept[name]
    }
  }

  #commit(): void {
    if (this.#isSuspended) return
    const waiting = this.#waiting.filter((one) => !this.#ask(one))
    this.#waiting = []
    for (const store of ['kv', 'cache'] as const) {
      const mine = waiting.filter(({ batch }) => batch.store === store)
      if (mine.length === 0) continue
      const results = this.#write(
        store,
        mine.flatMap(({ batch }) => batch.writes),
        mine.some(({ batch }) => batch.durable),
      )
      let from = 0
      for (const { batch, onDone } of mine) onDone(results.slice(from, (from += batch.writes.length)))
    }
  }

  /** Of whoever orders the changes, where that is not this node. */
  #ask({ batch, onDone }: Waiting): boolean {
    const keeper = batch.strong && batch.store === 'kv' ? this.#kept.kv : undefined
    if (!keeper?.strong) return false
    void keeper.strong(batch.writes).then(onDone)
    return true
  }

  #write(store: KvStoreName, writes: readonly KvOperation[], durable: boolean): readonly KvResult[] {
    const kept: Kept | undefined = this.#kept[store]
    if (!kept) {
      const message = this.#problems[store]?.message ?? 'it is closed'
      return refused(writes, message)
    }
    const lost = this.#lost[store]?.()
    const results = lost === undefined ? kept.apply(writes, durable) : refused(writes, lost)
    const failed = results.find((result) => 'code' in result && result.code === 'kv-unavailable')
    if (failed && 'code' in failed && performance.now() - this.#warnedAt > WARN_EVERY_MS) {
      this.#warnedAt = performance.now()
      this.#options.log.warn(`edge.${store} cannot be written: ${failed.message}`)
    }
    return results
  }

  #sweep(): void {
    this.#tellLost()
    let isMore = false
    for (const kept of Object.values(this.#kept)) {
      try {
        isMore = kept.sweep() || isMore
      } catch {
        // A disk that refuses is told to whoever writes; what has expired is not read all the same.
      }
    }
    this.#sweepTimer = setTimeout(() => this.#sweep(), isMore ? SWEEP_PAUSE_MS : SWEEP_MS)
  }

  /** Also where nobody writes: reads go on from the file without a name, until the node is restarted. */
  #tellLost(): void {
    for (const store of ['kv', 'cache'] as const) {
      const lost = this.#lost[store]?.()
      if (lost === undefined || performance.now() - this.#warnedAt <= WARN_EVERY_MS) continue
      this.#warnedAt = performance.now()
      this.#options.log.warn(
        `edge.${store} cannot be written: ${lost}; restart the node, or put the file back while it is stopped`,
      )
    }
  }

  // ── for the admin API ─────────────────────────────────────────────────────────────────────────────────────────

  namespaces(store: KvStoreName = 'kv'): readonly NamespaceUsage[] {
    return this.#store(store).usage
  }

  /** Undefined where there is no such key. */
  get(namespace: string, key: string): Uint8Array | undefined {
    this.#store()
    const value = this.#reader.get(namespace, key)
    return value === undefined ? undefined : Buffer.from(value, 'latin1')
  }

  list(namespace: string, prefix: string, limit: number, cursor: string): KvPage {
    this.#store()
    return this.#reader.list(namespace, prefix, limit, cursor)
  }

  /** `get` is asked strongly, whatever is said. Throws an `EdgeError` where it is refused. */
  async change(operation: KvOperation, { durable = false, strong = false }: KvAsked): Promise<KvDone> {
    const isStrong = strong || operation.op === 'get' || operation.op === 'compareAndSet'
    const [result] = await new Promise<readonly KvResult[]>((resolve) => {
      this.apply({ store: 'kv', writes: [operation], durable, strong: isStrong }, resolve)
    })
    if (result && 'value' in result) return result
    const { code = 'kv-unavailable', message = 'no answer came' } = result ?? {}
    throw new EdgeError(code === 'kv-unavailable' ? code : 'kv-refused', message)
  }

  #store(store: KvStoreName = 'kv'): Kept {
    const kept: Kept | undefined = this.#kept[store]
    if (kept) return kept
    if (this.#isSuspended) throw new EdgeError('upgrading', 'another program takes over')
    throw this.#problems[store] ?? new EdgeError('kv-unavailable', 'it is closed')
  }

  #kv(): KvKeeper {
    this.#store('kv')
    return this.#kept.kv!
  }

  samples(): MetricSample[] {
    const { kv, cache } = this.#kept
    return [
      ...(kv ? samplesOf('kv', kv.usage, kv.counts()) : []),
      ...(cache ? samplesOf('cache', cache.usage, cache.counts()) : []),
    ]
  }

  close(): void {
    clearTimeout(this.#sweepTimer)
    this.#commit()
    this.#reader.close()
    this.#closeAll()
  }
}

const refused = (writes: readonly KvOperation[], message: string): readonly KvResult[] =>
  writes.map(() => ({ code: 'kv-unavailable', message }))

const COUNTS: Readonly<Record<string, string>> = {
  writes: 'orla_kv_writes_total',
  expired: 'orla_kv_expired_total',
  evicted: 'orla_kv_evicted_total',
  outbox: 'orla_kv_outbox_changes',
  outboxBytes: 'orla_kv_outbox_bytes',
  refused: 'orla_kv_taken_back_total',
  batches: 'orla_kv_batches_total',
}

function samplesOf(
  store: KvStoreName,
  usage: readonly NamespaceUsage[],
  counts: Readonly<Record<string, number>>,
): MetricSample[] {
  return [
    ...usage.flatMap(({ namespace, keys, bytes }) => [
      { name: 'orla_kv_keys', labels: { store, namespace }, value: keys },
      { name: 'orla_kv_bytes', labels: { store, namespace }, value: bytes },
    ]),
    ...Object.entries(counts).map(([count, value]) => ({ name: COUNTS[count]!, labels: { store }, value })),
  ]
}
