/**
 * Changes of this node that are visible here and not yet in the log, in the file beside the data: what is left of them is sent after a
 * restart, too. And what the log says of the keys that they touch (`ordered`), since the rows themselves show what will come of it.
 *
 * Increments of a key add up in one row until it is sent; from then on it stays as it is.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { KvWrite } from '../../contract/kv.ts'
import type { KvUplinkOperation } from '../../contract/kv-replication.ts'
import { execute, type KvRow, type KvRows } from '../rows.ts'
import { bucketOf, encodeBytes } from './encoding.ts'

/** What is counted for a row beside key and value. */
const ROW_BYTES = 100

export interface Taken {
  readonly instance: string
  readonly operations: readonly KvUplinkOperation[]
  /** There are no more. */
  readonly isAll: boolean
}

/** Changes that may wait here. */
export type Waitable = Exclude<KvWrite, { op: 'compareAndSet' }>

export interface Settled {
  readonly seq: number
  readonly namespace: string
  readonly key: string
}

export interface OpenIncrement {
  readonly seq: number
  /** Of both. */
  readonly step: number
}

interface Stored {
  readonly seq: number
  readonly instance: string
  readonly bucket: number
  readonly namespace: string
  readonly key: string
  readonly op: Waitable['op']
  readonly value: Uint8Array
  readonly step: number
  readonly ttl: number
  readonly expires: number
}

export class Outbox {
  readonly #newInstance: () => string
  /** By bucket, so that who reads the log of one cannot take the name in another before this node has used it there. */
  readonly #instances = new Map<number, string>()
  /** What has been given out to be sent, by bucket: nothing is added to a row up to there. */
  readonly #sent = new Map<number, number>()
  readonly #statements: ReturnType<typeof prepare>
  #lastSeq = 0
  #bytes = 0
  readonly #bytesOf = new Map<string, number>()
  #rows = 0
  /** Keys with changes that wait. */
  #orderedKeys = 0

  /** `newInstance` makes a name of chance. */
  constructor(db: DatabaseSync, newInstance: () => string) {
    this.#newInstance = newInstance
    this.#statements = prepare(db)
    this.recount()
  }

  instance(bucket: number): string {
    let instance = this.#instances.get(bucket)
    if (instance === undefined) this.#instances.set(bucket, (instance = this.#newInstance()))
    return instance
  }

  /** Somebody else has that name where changes are ordered: what waits in this bucket goes under another one. */
  rename(bucket: number, instance: string): void {
    if (instance === this.instance(bucket)) this.#instances.delete(bucket)
    this.#statements.rename.run(this.instance(bucket), bucket, instance)
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Of them, those of a namespace. */
  bytesOf(namespace: string): number {
    return this.#bytesOf.get(namespace) ?? 0
  }

  get rows(): number {
    return this.#rows
  }

  /** After a transaction that was undone. */
  recount(): void {
    this.#rows = 0
    this.#bytes = 0
    this.#bytesOf.clear()
    for (const row of this.#statements.totals.all()) {
      const rows = Number(row['rows'])
      this.#lastSeq = Math.max(this.#lastSeq, Number(row['seq']))
      this.#rows += rows
      this.#count(row['namespace'] as string, Number(row['bytes']) + rows * ROW_BYTES)
    }
    this.#orderedKeys = Number(this.#statements.orderedCount.get()!['keys'])
  }

  /** Also for what is not kept here, but goes the same way. */
  nextSeq(): number {
    return ++this.#lastSeq
  }

  /** Instances that rows are left of, and this one. */
  isOwn(bucket: number, instance: string): boolean {
    return instance === this.instance(bucket) || this.#statements.ofInstance.get(instance) !== undefined
  }

  buckets(): number[] {
    return this.#statements.buckets.all().map((row) => Number(row['bucket']))
  }

  /** The increment that is not sent yet and that this one adds to; where there is one, nothing more is kept. */
  open(write: Waitable): OpenIncrement | undefined {
    if (write.op !== 'increment') return undefined
    const last = this.#statements.last.get(write.namespace, write.key) as Stored | undefined
    if (
      !last ||
      last.op !== 'increment' ||
      last.instance !== this.instance(last.bucket) ||
      last.ttl !== write.ttlMs
    )
      return undefined
    const step = last.step + write.by
    if (last.seq <= (this.#sent.get(last.bucket) ?? 0) || !Number.isSafeInteger(step)) return undefined
    return { seq: last.seq, step }
  }

  increase({ seq, step }: OpenIncrement): void {
    this.#statements.step.run(step, seq)
  }

  /** `held` is what the key had before, and the log says; `expires` what it got here, until the log says. */
  add(write: Waitable, held: KvRow | undefined, expires: number): void {
    const { namespace, key, op } = write
    if (!this.ordered(namespace, key)) {
      this.setOrdered(namespace, key, held)
      this.#orderedKeys++
    }
    const value = op === 'put' ? write.value : new Uint8Array()
    const step = op === 'increment' ? write.by : 0
    const ttl = op === 'delete' ? 0 : write.ttlMs
    const bucket = bucketOf(namespace)
    this.#statements.insert.run(
      this.nextSeq(),
      this.instance(bucket),
      bucket,
      namespace,
      key,
      op,
      value,
      step,
      ttl,
      expires,
    )
    this.#rows++
    this.#count(namespace, costOf(key, value.length))
  }

  /** The next ones to be sent, of one instance. They stay as they are from now on. */
  take(bucket: number, after: number, limit: number, charactersMax: number): Taken {
    const operations: KvUplinkOperation[] = []
    let instance = this.instance(bucket)
    let isAll = true
    let characters = 0
    for (const row of this.#statements.next.iterate(bucket, after, limit + 1)) {
      const stored = row as unknown as Stored
      const operation = operationOf(stored)
      characters += charactersOf(operation)
      if (operations.length === 0) instance = stored.instance
      else if (characters > charactersMax || stored.instance !== instance || operations.length === limit) {
        isAll = false
        break
      }
      operations.push(operation)
    }
    const last = operations.at(-1)
    if (last) this.#sent.set(bucket, last.seq)
    return { instance, operations, isAll }
  }

  // ── what the log says ─────────────────────────────────────────────────────────────────────────────────────────

  /** What the log says of a key with changes that wait; undefined where none do. */
  ordered(namespace: string, key: string): { readonly row: KvRow | undefined } | undefined {
    const row = this.#orderedKeys === 0 ? undefined : this.#statements.ordered.get(namespace, key)
    if (!row) return undefined
    const value = row['value'] as Uint8Array | null
    return { row: value === null ? undefined : { value, expires: Number(row['expires']) } }
  }

  /** Of a key that has one. */
  setOrdered(namespace: string, key: string, row: KvRow | undefined): void {
    this.#statements.setOrdered.run(namespace, key, row?.value ?? null, row?.expires ?? 0)
  }

  forget(namespace: string, key: string): void {
    this.#orderedKeys--
    this.#statements.forget.run(namespace, key)
  }

  /** Those with changes that wait. */
  namespaces(): string[] {
    return this.#statements.namespaces.all().map((row) => row['namespace'] as string)
  }

  /** What the log says of all keys of a namespace with changes that wait. */
  orderedOf(namespace: string): { readonly key: string; readonly row: KvRow | undefined }[] {
    return this.#statements.orderedKeys.all(namespace).map((row) => {
      const key = row['key'] as string
      return { key, row: this.ordered(namespace, key)?.row }
    })
  }

  /** The log has the changes of an instance up to there: the keys that they were of. */
  settle(bucket: number, instance: string, last: number): Settled[] {
    return this.#gone(this.#statements.settle.all(bucket, instance, last))
  }

  settleKey(namespace: string, key: string, instance: string, last: number): void {
    this.#gone(this.#statements.settleKey.all(namespace, key, instance, last))
  }

  #gone(rows: readonly Readonly<Record<string, unknown>>[]): Settled[] {
    return rows.map((row) => {
      const [namespace, key] = [row['namespace'] as string, row['key'] as string]
      this.#rows--
      this.#count(namespace, -costOf(key, Number(row['bytes'])))
      return { seq: Number(row['seq']), namespace, key }
    })
  }

  #count(namespace: string, bytes: number): void {
    this.#bytes += bytes
    const sum = this.bytesOf(namespace) + bytes
    if (sum > 0) this.#bytesOf.set(namespace, sum)
    else this.#bytesOf.delete(namespace)
  }

  /** What a key shows: what the log says, and the changes that wait on top. `isWaiting` false: there are none. */
  visible(namespace: string, key: string, ordered: KvRow | undefined, now: number) {
    let row = ordered
    const waiting = this.#statements.ofKey.all(namespace, key) as unknown as Stored[]
    for (const stored of waiting) row = replay(row, stored, now)
    return { row, isWaiting: waiting.length > 0 }
  }
}

/** Of key and value, as they are sent. */
export const charactersOf = (operation: KvUplinkOperation): number =>
  operation.key.length + ('value' in operation ? operation.value.length : 0)

/** What a change is counted with while it waits. */
export const costOf = (key: string, valueBytes: number): number =>
  ROW_BYTES + Buffer.byteLength(key) + valueBytes

const NO_LIMITS = { keysMax: Infinity, bytesMax: Infinity, keyBytesMax: Infinity, valueBytesMax: Infinity }

/** A change over what the log says. What the log makes impossible shows nothing of it: its authority will refuse it. */
function replay(row: KvRow | undefined, stored: Stored, now: number): KvRow | undefined {
  const { op, namespace, key, value, expires } = stored
  if (op === 'put') return { value, expires }
  if (op === 'delete') return undefined
  let result = row
  const one: KvRows = {
    held: () => row,
    usage: () => ({ keys: 0, bytes: 0 }),
    put: (_namespace, _key, next) => (result = next),
    remove: () => (result = undefined),
  }
  execute(one, { op, namespace, key, by: stored.step, ttlMs: 0 }, { now, limits: NO_LIMITS })
  const isNew = result !== undefined && result.expires === 0 && row?.expires !== 0
  return result && isNew ? { value: result.value, expires } : result
}

function operationOf({ seq, namespace, key, op, value, step, ttl }: Stored): KvUplinkOperation {
  switch (op) {
    case 'put':
      return { op, seq, namespace, key, value: encodeBytes(value), ttlMs: ttl }
    case 'delete':
      return { op, seq, namespace, key }
    default:
      return { op, seq, namespace, key, by: step, ttlMs: ttl }
  }
}

function prepare(db: DatabaseSync) {
  const returning = 'RETURNING seq, namespace, key, length(value) AS bytes'
  return {
    totals: db.prepare(
      `SELECT namespace, max(seq) AS seq, count(*) AS rows, sum(length(value) + octet_length(key)) AS bytes
         FROM outbox GROUP BY namespace`,
    ),
    ofInstance: db.prepare('SELECT 1 FROM outbox WHERE instance = ? LIMIT 1'),
    rename: db.prepare('UPDATE outbox SET instance = ? WHERE bucket = ? AND instance = ?'),
    buckets: db.prepare('SELECT DISTINCT bucket FROM outbox'),
    last: db.prepare('SELECT * FROM outbox WHERE namespace = ? AND key = ? ORDER BY seq DESC LIMIT 1'),
    step: db.prepare('UPDATE outbox SET step = ? WHERE seq = ?'),
    insert: db.prepare('INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'),
    next: db.prepare('SELECT * FROM outbox WHERE bucket = ? AND seq > ? ORDER BY seq LIMIT ?'),
    // What came before the last one that says all is not seen.
    ofKey: db.prepare(
      `SELECT * FROM outbox WHERE namespace = ?1 AND key = ?2 AND seq >= coalesce((SELECT seq FROM outbox
         WHERE namespace = ?1 AND key = ?2 AND op IN ('put', 'delete') ORDER BY seq DESC LIMIT 1), 0) ORDER BY seq`,
    ),
    settle: db.prepare(`DELETE FROM outbox WHERE bucket = ? AND instance = ? AND seq <= ? ${returning}`),
    settleKey: db.prepare(
      `DELETE FROM outbox WHERE namespace = ? AND key = ? AND instance = ? AND seq <= ? ${returning}`,
    ),
    ordered: db.prepare('SELECT value, expires FROM ordered WHERE namespace = ? AND key = ?'),
    setOrdered: db.prepare('INSERT OR REPLACE INTO ordered VALUES (?, ?, ?, ?)'),
    forget: db.prepare('DELETE FROM ordered WHERE namespace = ? AND key = ?'),
    orderedCount: db.prepare('SELECT count(*) AS keys FROM ordered'),
    namespaces: db.prepare('SELECT DISTINCT namespace FROM ordered'),
    orderedKeys: db.prepare('SELECT key FROM ordered WHERE namespace = ?'),
  }
}
