/**
 * Key/value data of the node: the one place that writes it.
 *
 * What workers ask for in one turn of the event loop is one transaction. A file that cannot be opened takes nothing down: whoever asks
 * is told why, and everything else goes on.
 */
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { EdgeError } from '../base/errors.ts'
import type { Config } from '../config/schema.ts'
import type { KvBatch, KvLimits, KvPage, KvResult, KvStoreName, KvWrite } from '../contract/kv.ts'
import type { MetricSample } from '../contract/messages.ts'
import { KvReader } from '../kv/reader.ts'
import { KvWriter, type NamespaceUsage } from '../kv/writer.ts'
import { fileIdentity } from './file-identity.ts'
import type { Follower, Step } from './followers.ts'
import type { ApplyKv } from './handover/messages.ts'
import type { Log } from './log.ts'

export interface KvServiceOptions {
  /** The data directory. */
  readonly directory: string
  readonly clock: Clock
  readonly words: Int32Array
  readonly limits: Readonly<Record<KvStoreName, KvLimits>>
  readonly log: Log
  /** Workers of a program before still use the cache. */
  readonly keepsCache?: boolean
}

interface Waiting {
  readonly batch: Pick<KvBatch, 'store' | 'writes' | 'durable'>
  readonly onDone: (results: readonly KvResult[]) => void
}

const SWEEP_MS = 5000
/** Between two parts of a long sweep, so that changes get in between. */
const SWEEP_PAUSE_MS = 20
/** The same trouble is told again after this. */
const WARN_EVERY_MS = 60_000

export const KV_FILES: Readonly<Record<KvStoreName, string>> = { kv: 'kv.db', cache: 'kv-cache.db' }

export class KvService implements Follower {
  /** Paths of the files, for workers. */
  readonly paths: Readonly<Record<KvStoreName, string>>
  readonly #options: KvServiceOptions
  #limits: KvServiceOptions['limits']
  readonly #writers: Partial<Record<KvStoreName, KvWriter>> = {}
  readonly #problems: Partial<Record<KvStoreName, EdgeError>> = {}
  /** What became of a file that is not there any more. */
  readonly #lost: Partial<Record<KvStoreName, () => string | undefined>> = {}
  readonly #reader: KvReader
  #waiting: Waiting[] = []
  #sweepTimer: NodeJS.Timeout | undefined
  #warnedAt = -Infinity
  /** Where changes go while another program has the files; undefined: here, or nowhere yet. */
  #elsewhere: ApplyKv | undefined
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
    const { clock, words, log } = this.#options
    const limits = this.#limits[name]
    const path = this.paths[name]
    try {
      this.#writers[name] = new KvWriter({ name, path, clock, words, limits, keepsCache })
      this.#lost[name] = fileIdentity(path)
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error
      this.#problems[name] = error
      log.warn(`units have no edge.${name}: ${error.message}; ${error.hint}`)
    }
  }

  /** What a namespace holds beyond a smaller quota stays; more is refused, and of the cache let go. */
  follow({ edge }: Config): Step {
    return {
      use: () => {
        this.#limits = { kv: edge.kv, cache: edge.unitCache }
        for (const name of ['kv', 'cache'] as const) {
          const writer = this.#writers[name]
          if (writer) writer.limits = this.#limits[name]
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
      this.#writers[name]?.close()
      delete this.#writers[name]
    }
  }

  #commit(): void {
    if (this.#isSuspended) return
    const waiting = this.#waiting
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

  #write(store: KvStoreName, writes: readonly KvWrite[], durable: boolean): readonly KvResult[] {
    const writer = this.#writers[store]
    if (!writer) {
      const message = this.#problems[store]?.message ?? 'it is closed'
      return refused(writes, message)
    }
    const lost = this.#lost[store]?.()
    const results = lost === undefined ? writer.apply(writes, durable) : refused(writes, lost)
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
    for (const writer of Object.values(this.#writers)) {
      try {
        isMore = writer.sweep() || isMore
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
    return this.#writer(store).usage
  }

  /** Undefined where there is no such key. */
  get(namespace: string, key: string): Uint8Array | undefined {
    this.#writer()
    const value = this.#reader.get(namespace, key)
    return value === undefined ? undefined : Buffer.from(value, 'latin1')
  }

  list(namespace: string, prefix: string, limit: number, cursor: string): KvPage {
    this.#writer()
    return this.#reader.list(namespace, prefix, limit, cursor)
  }

  /** Throws an `EdgeError` where it is refused. */
  async change(write: KvWrite, durable: boolean): Promise<number> {
    const [result] = await new Promise<readonly KvResult[]>((resolve) => {
      this.apply({ store: 'kv', writes: [write], durable }, resolve)
    })
    if (result && 'value' in result) return result.value
    const { code = 'kv-unavailable', message = 'no answer came' } = result ?? {}
    throw new EdgeError(code === 'kv-unavailable' ? code : 'kv-refused', message)
  }

  #writer(store: KvStoreName = 'kv'): KvWriter {
    const writer = this.#writers[store]
    if (writer) return writer
    if (this.#isSuspended) throw new EdgeError('upgrading', 'another program takes over')
    throw this.#problems[store] ?? new EdgeError('kv-unavailable', 'it is closed')
  }

  samples(): MetricSample[] {
    const samples: MetricSample[] = []
    for (const [store, writer] of Object.entries(this.#writers)) {
      for (const { namespace, keys, bytes } of writer.usage) {
        samples.push({ name: 'orla_kv_keys', labels: { store, namespace }, value: keys })
        samples.push({ name: 'orla_kv_bytes', labels: { store, namespace }, value: bytes })
      }
      samples.push({ name: 'orla_kv_writes_total', labels: { store }, value: writer.writes })
      samples.push({ name: 'orla_kv_expired_total', labels: { store }, value: writer.expired })
      if (writer.evicted > 0)
        samples.push({ name: 'orla_kv_evicted_total', labels: { store }, value: writer.evicted })
    }
    return samples
  }

  close(): void {
    clearTimeout(this.#sweepTimer)
    this.#commit()
    this.#reader.close()
    this.#closeAll()
  }
}

const refused = (writes: readonly KvWrite[], message: string): readonly KvResult[] =>
  writes.map(() => ({ code: 'kv-unavailable', message }))
