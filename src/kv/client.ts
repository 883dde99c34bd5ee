/**
 * A worker's way to change a key/value store: gathers what comes in one turn of the event loop into one message for the
 * supervisor, adds up the increments of one key, and hands each caller its result.
 *
 * One message is under way for each store, and what comes meanwhile waits: so messages grow under load. Changes of one turn
 * keep their order.
 */
import type { KvBatch, KvResult, KvStoreName, KvWrite } from '../contract/kv.ts'

export interface KvClientOptions {
  send(batch: KvBatch): void
}

type OnResult = (result: KvResult) => void

/** A change and those who wait for it; of increments that were added up, each with its part. */
interface Queued {
  write: KvWrite
  readonly waiting: { readonly by: number; readonly onResult: OnResult }[]
}

/** Changes, and bytes of values, that one message carries. */
const BATCH_WRITES_MAX = 1000
const BATCH_BYTES_MAX = 4 * 1024 * 1024

export class KvClient {
  readonly #options: KvClientOptions
  #queued: Queued[] = []
  /** The last change of a key in the queue, where it is an increment. */
  readonly #increments = new Map<string, Queued>()
  #isDurable = false
  readonly #underWay = new Map<number, readonly Queued[]>()
  #lastId = 0
  #isFlushSet = false
  readonly #name: KvStoreName

  constructor(name: KvStoreName, options: KvClientOptions) {
    this.#name = name
    this.#options = options
  }

  write(write: KvWrite, durable: boolean, onResult: OnResult): void {
    const name = `${write.namespace}\0${write.key}`
    const by = write.op === 'increment' ? write.by : 0
    const before = this.#increments.get(name)
    if (durable) this.#isDurable = true
    if (write.op === 'increment' && before?.write.op === 'increment' && before.write.ttlMs === write.ttlMs) {
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

  /** The supervisor's answer to a batch. */
  done(id: number, results: readonly KvResult[]): void {
    const batch = this.#underWay.get(id)
    if (!batch) return
    this.#underWay.delete(id)
    if (this.#queued.length > 0) this.#setFlush()
    batch.forEach(({ waiting }, index) => {
      const result = results[index] ?? { code: 'kv-unavailable', message: 'no answer came' }
      if (!('value' in result) || waiting.length === 1) {
        for (const { onResult } of waiting) onResult(result)
        return
      }
      let value = result.value
      for (const { by } of waiting) value -= by
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
    if (this.#underWay.size > 0 || this.#queued.length === 0) return
    let bytes = 0
    let count = 0
    while (count < this.#queued.length && count < BATCH_WRITES_MAX && bytes < BATCH_BYTES_MAX) {
      const { write } = this.#queued[count++]!
      if (write.op === 'put') bytes += write.value.length
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
