/**
 * A worker's way to change a key/value store: gathers what comes in one turn of the event loop into one message for the
 * supervisor, adds up the increments of one key, and hands each caller its result.
 *
 * One message is under way for each store, and what comes meanwhile waits: so messages grow under load. Changes of one turn
 * keep their order. What is asked of whoever orders the changes of all nodes goes by itself, since its answer comes from far away.
 */
import type { KvBatch, KvOperation, KvResult, KvStoreName } from '../contract/kv.ts'

export interface KvClientOptions {
  send(batch: KvBatch): void
}

type OnResult = (result: KvResult) => void

/** A change and those who wait for it; of increments that were added up, each with its part. */
interface Queued {
  write: KvOperation
  readonly waiting: { readonly by: number; readonly onResult: OnResult }[]
}

/** Changes, and bytes of values, that one message carries. */
const BATCH_WRITES_MAX = 1000
const BATCH_BYTES_MAX = 4 * 1024 * 1024
/** Callers of one namespace that wait, and bytes of values that they bring: whoever writes without end waits for nobody else's memory. */
export const WAITING_MAX = 10_000
const WAITING_BYTES_MAX = 16 * 1024 * 1024

interface Load {
  waiting: number
  bytes: number
}

const bytesOf = (write: KvOperation): number => ('value' in write ? write.value.length : 0)

type Increment = Extract<KvOperation, { op: 'increment' }>

/** Whether two increments of a key come to one: their sum has to be exact, too. */
const isOne = (one: Increment, next: Increment): boolean =>
  one.ttlMs === next.ttlMs && Number.isSafeInteger(one.by + next.by)

export class KvClient {
  readonly #options: KvClientOptions
  #queued: Queued[] = []
  /** The last change of a key in the queue, where it is an increment. */
  readonly #increments = new Map<string, Queued>()
  #isDurable = false
  readonly #loads = new Map<string, Load>()
  readonly #underWay = new Map<number, readonly Queued[]>()
  /** Of those, what nothing else waits for. */
  readonly #asked = new Set<number>()
  #lastId = 0
  #isFlushSet = false
  readonly #name: KvStoreName

  constructor(name: KvStoreName, options: KvClientOptions) {
    this.#name = name
    this.#options = options
  }

  write(write: KvOperation, durable: boolean, onResult: OnResult): void {
    if (!this.#admit(write)) return this.#refuse(write, onResult)
    const name = `${write.namespace}\0${write.key}`
    const by = write.op === 'increment' ? write.by : 0
    const before = this.#increments.get(name)
    if (durable) this.#isDurable = true
    if (before?.write.op === 'increment' && write.op === 'increment' && isOne(before.write, write)) {
      before.write = { ...before.write, by: before.write.by + by }
      before.waiting.push({ by, onResult })
      return
    }
    const queued: Queued = { write, waiting: [{ by, onResult }] }
    this.#queued.push(queued)
    if (write.op === 'increment') this.#increments.set(name, queued)
    else this.#increments.delete(name)
    this.#setFlush()
  }

  /** Done by whoever orders the changes of all nodes. */
  ask(operation: KvOperation, durable: boolean, onResult: OnResult): void {
    if (!this.#admit(operation)) return this.#refuse(operation, onResult)
    const id = ++this.#lastId
    this.#asked.add(id)
    this.#underWay.set(id, [{ write: operation, waiting: [{ by: 0, onResult }] }])
    this.#options.send({ id, store: this.#name, writes: [operation], durable, strong: true })
  }

  #refuse({ namespace }: KvOperation, onResult: OnResult): void {
    const message = `${namespace} has ${WAITING_MAX} changes that wait, or ${WAITING_BYTES_MAX} bytes of them`
    onResult({ code: 'kv-busy', message })
  }

  #admit(write: KvOperation): boolean {
    const load = this.#loads.get(write.namespace) ?? { waiting: 0, bytes: 0 }
    const bytes = load.bytes + bytesOf(write)
    // One large value is for the quota to judge.
    if (load.waiting >= WAITING_MAX || (load.waiting > 0 && bytes > WAITING_BYTES_MAX)) return false
    load.waiting += 1
    load.bytes = bytes
    this.#loads.set(write.namespace, load)
    return true
  }

  #leave(write: KvOperation, callers: number): void {
    const load = this.#loads.get(write.namespace)!
    load.waiting -= callers
    load.bytes -= bytesOf(write)
    if (load.waiting === 0) this.#loads.delete(write.namespace)
  }

  /** The supervisor's answer to a batch. */
  done(id: number, results: readonly KvResult[]): void {
    const batch = this.#underWay.get(id)
    if (!batch) return
    this.#underWay.delete(id)
    this.#asked.delete(id)
    if (this.#queued.length > 0) this.#setFlush()
    batch.forEach(({ write, waiting }, index) => {
      const result = results[index] ?? { code: 'kv-unavailable', message: 'no answer came' }
      this.#leave(write, waiting.length)
      if (!('value' in result) || waiting.length === 1) {
        for (const { onResult } of waiting) onResult(result)
        return
      }
      let value = result.value - (write.op === 'increment' ? write.by : 0)
      for (const { by, onResult } of waiting) onResult({ value: (value += by) })
    })
  }

  #setFlush(): void {
    if (this.#isFlushSet) return
    this.#isFlushSet = true
    setImmediate(this.#flush)
  }

  readonly #flush = (): void => {
    this.#isFlushSet = false
    if (this.#underWay.size > this.#asked.size || this.#queued.length === 0) return
    let bytes = 0
    let count = 0
    while (count < this.#queued.length && count < BATCH_WRITES_MAX && bytes < BATCH_BYTES_MAX) {
      const { write } = this.#queued[count++]!
      bytes += bytesOf(write)
    }
    const batch = this.#queued.slice(0, count)
    this.#queued = this.#queued.slice(count)
    this.#increments.clear()
    this.#lastId++
    this.#underWay.set(this.#lastId, batch)
    const durable = this.#isDurable
    if (this.#queued.length === 0) this.#isDurable = false
    this.#options.send({
      id: this.#lastId,
      store: this.#name,
      writes: batch.map(({ write }) => write),
      durable,
    })
  }
}
