/**
 * Brings what this node changed to whoever orders the changes of all nodes: in order, one batch at a time, again until it is answered.
 *
 * Two kinds go up: what waits in the outbox, which is seen here already, and what somebody asked to be done there (`strong`), who is told once this
 * node has it, too. Who is told that there was no answer in time has his operation withdrawn: it was done by then, or on its way, or never will be.
 */
import type { KvOperation, KvResult } from '../../contract/kv.ts'
import {
  KV_UPLINK_CHARACTERS_MAX,
  KV_UPLINK_OPERATIONS_MAX,
  type KvUplink,
  type KvUplinkAnswer,
  type KvUplinkOperation,
  type KvUplinkPart,
  type KvUplinkResult,
} from '../../contract/kv-replication.ts'
import type { Position } from '../../contract/store.ts'
import { backOffMs } from '../../base/back-off.ts'
import { type After, afterMs } from './after.ts'
import { bucketOf, decodeBytes, encodeBytes } from './encoding.ts'
import { charactersOf, type Outbox } from './outbox.ts'

export interface KvSenderOptions {
  readonly outbox: Outbox
  readonly uplink: KvUplink
  /** What this node has of a bucket's log. */
  readonly positionOf: (bucket: number) => Position
  /** How long somebody waits for what has to be done there. */
  readonly strongTimeoutMs: number
  readonly after?: After
  /** From 0 to below 1. */
  readonly random?: () => number
}

interface Strong {
  readonly operation: KvUplinkOperation
  readonly resolve: (result: KvResult) => void
  readonly cancelTimer: () => void
  /** Known, and waits until this node has come so far. */
  answer: { readonly position: Position; readonly result: KvResult } | undefined
}

/** Sent, and not answered for its bucket alone. It goes again as it is. */
interface Apart {
  readonly part: KvUplinkPart
  readonly problem: string
  readonly failures: number
  isDue: boolean
  cancelTimer: () => void
}

const BACK_OFF = { firstMs: 100, maxMs: 5000 }
/** What nobody answers in this time is sent again. */
const ANSWER_MS_MAX = 30_000
/** Operations of one part that somebody waits for: their results go into the log. */
const STRONG_MAX = 200
/** Operations that wait for an answer, of all callers. */
const STRONG_WAITING_MAX = 10_000

export class KvSender {
  readonly #options: KvSenderOptions
  readonly #after: After
  /** Up to where operations were answered, by bucket. */
  readonly #answered = new Map<number, number>()
  readonly #buckets: Set<number>
  readonly #strong = new Map<number, Strong[]>()
  #strongCount = 0
  #cancelNext: (() => void) | undefined
  #isUnderWay = false
  /** Sent, and not answered: it goes again as it is, so that what waits goes on adding up meanwhile. */
  #again: readonly KvUplinkPart[] = []
  #failures = 0
  /** Why the last batch was not answered; undefined: it was. */
  #problem: string | undefined
  readonly #apart = new Map<number, Apart>()
  #isApartUnderWay = false
  #isClosed = false
  batches = 0

  constructor(options: KvSenderOptions) {
    this.#options = options
    this.#after = options.after ?? afterMs
    // Of a process before this one.
    this.#buckets = new Set(options.outbox.buckets())
    if (this.#buckets.size > 0) this.#schedule(0)
  }

  /** Why changes are not answered; undefined: they are. */
  get problem(): string | undefined {
    return this.#problem ?? this.#apart.values().next().value?.problem
  }

  /** There are new changes of these namespaces in the outbox. */
  kick(namespaces: Iterable<string>): void {
    for (const namespace of namespaces) this.#buckets.add(bucketOf(namespace))
    this.#schedule(0)
  }

  /** Done there, and seen here, before this is. */
  async strong(operation: KvOperation): Promise<KvResult> {
    if (this.#isClosed) return unavailable('this node ends')
    if (this.#strongCount >= STRONG_WAITING_MAX)
      return { code: 'kv-busy', message: `${STRONG_WAITING_MAX} operations wait for the control plane` }
    const bucket = bucketOf(operation.namespace)
    return new Promise((resolve) => {
      const strong: Strong = {
        operation: uplinkOperation(operation, this.#options.outbox.nextSeq()),
        resolve,
        cancelTimer: this.#after(this.#options.strongTimeoutMs, () => this.#giveUp(bucket, strong)),
        answer: undefined,
      }
      this.#strong.set(bucket, [...(this.#strong.get(bucket) ?? []), strong])
      this.#strongCount++
      this.#schedule(0)
    })
  }

  /** This node has come further in the log of a bucket. */
  advanced(bucket: number): void {
    for (const strong of this.#strong.get(bucket) ?? []) {
      if (strong.answer && this.#has(bucket, strong.answer.position))
        this.#end(bucket, strong, strong.answer.result)
    }
  }

  /** Who waits is told so; the outbox stays for the next time. */
  close(): void {
    this.#isClosed = true
    this.#cancelNext?.()
    for (const { cancelTimer } of this.#apart.values()) cancelTimer()
    for (const [bucket, all] of this.#strong)
      for (const strong of all)
        this.#end(bucket, strong, strong.answer?.result ?? unavailable('this node ends'))
  }

  #giveUp(bucket: number, strong: Strong): void {
    const ms = this.#options.strongTimeoutMs
    const problem = this.#apart.get(bucket)?.problem ?? this.#problem
    const message = strong.answer
      ? `it was done, and this node did not hear of it from the control plane within ${ms} ms`
      : `no answer of the control plane within ${ms} ms${problem === undefined ? '' : `: ${problem}`}`
    this.#end(bucket, strong, unavailable(message))
  }

  #end(bucket: number, strong: Strong, result: KvResult): void {
    const left = (this.#strong.get(bucket) ?? []).filter((other) => other !== strong)
    if (left.length > 0) this.#strong.set(bucket, left)
    else this.#strong.delete(bucket)
    this.#strongCount--
    strong.cancelTimer()
    strong.resolve(result)
  }

  #has(bucket: number, position: Position): boolean {
    const here = this.#options.positionOf(bucket)
    return here.log === position.log && here.id >= position.id
  }

  // ── the loop ──────────────────────────────────────────────────────────────────────────────────────────────────

  #schedule(ms: number): void {
    if (this.#isUnderWay || this.#cancelNext || this.#isClosed) return
    this.#cancelNext = this.#after(ms, () => {
      this.#cancelNext = undefined
      void this.#send()
    })
  }

  async #send(): Promise<void> {
    this.#isUnderWay = true
    let parts: readonly KvUplinkPart[] = []
    try {
      parts = this.#again.flatMap((part) => this.#withoutWithdrawn(part))
      if (parts.length === 0) parts = this.#gather()
      this.#again = []
      if (parts.length > 0) await this.#deliver(parts)
      this.#problem = undefined
    } catch (error) {
      this.#again = parts
      this.#problem = (error as Error).message
    }
    this.#isUnderWay = false
    this.#failures = this.#problem === undefined ? 0 : this.#failures + 1
    if (this.#failures > 0) this.#schedule(this.#backOffMs(this.#failures))
    else if (parts.length > 0) this.#schedule(0)
  }

  #backOffMs(failures: number): number {
    return backOffMs(failures, this.#options.random ?? Math.random, BACK_OFF)
  }

  /** Throws where nothing was answered. A bucket whose part was not is apart from the others until it is. */
  async #deliver(parts: readonly KvUplinkPart[]): Promise<void> {
    this.batches++
    const answers = await this.#answersTo(parts)
    parts.forEach((part, i) => {
      const answer = answers[i]
      if (answer && 'code' in answer && answer.code === 'kv-instance') return this.#rename(part)
      const problem = this.#take(part, answer)
      if (problem === undefined) this.#apart.delete(part.bucket)
      else this.#setApart(part, problem)
    })
  }

  /** It is gathered anew; what somebody waits for, too. */
  #rename({ bucket, instance }: KvUplinkPart): void {
    this.#options.outbox.rename(bucket, instance)
    this.#buckets.add(bucket)
    this.#apart.delete(bucket)
  }

  // ── what one bucket did not take: it goes by itself, and the others go on ─────────────────────────────────────

  #setApart(part: KvUplinkPart, problem: string): void {
    const { bucket } = part
    const failures = (this.#apart.get(bucket)?.failures ?? 0) + 1
    const apart: Apart = { part, problem, failures, isDue: false, cancelTimer: () => {} }
    this.#apart.set(bucket, apart)
    if (this.#isClosed) return
    apart.cancelTimer = this.#after(this.#backOffMs(failures), () => {
      apart.isDue = true
      void this.#sendApart()
    })
  }

  async #sendApart(): Promise<void> {
    if (this.#isApartUnderWay || this.#isClosed) return
    const due = this.#dueApart()
    if (due.length === 0) return
    this.#isApartUnderWay = true
    try {
      await this.#deliver(due)
    } catch (error) {
      for (const part of due) this.#setApart(part, (error as Error).message)
    }
    this.#isApartUnderWay = false
    // What came of them meanwhile, and what did not fit.
    this.#schedule(0)
    void this.#sendApart()
  }

  /** As many as one batch may carry. */
  #dueApart(): KvUplinkPart[] {
    const due: KvUplinkPart[] = []
    let room = KV_UPLINK_OPERATIONS_MAX
    let charactersLeft = KV_UPLINK_CHARACTERS_MAX
    for (const [bucket, { part: whole, isDue }] of this.#apart) {
      if (!isDue) continue
      const [part] = this.#withoutWithdrawn(whole)
      if (!part) {
        this.#apart.delete(bucket)
        this.#schedule(0)
        continue
      }
      room -= part.operations.length
      for (const operation of part.operations) charactersLeft -= charactersOf(operation)
      if (due.length > 0 && (room < 0 || charactersLeft < 0)) break
      due.push(part)
    }
    return due
  }

  async #answersTo(parts: readonly KvUplinkPart[]): Promise<readonly KvUplinkAnswer[]> {
    let cancel = (): void => {}
    const late = new Promise<never>((_, reject) => {
      cancel = this.#after(ANSWER_MS_MAX, () => reject(new Error(`no answer within ${ANSWER_MS_MAX} ms`)))
    })
    try {
      return await Promise.race([this.#options.uplink.send({ parts }), late])
    } finally {
      cancel()
    }
  }

  /** What nobody waits for any more, and is not in the outbox either. */
  #withoutWithdrawn(part: KvUplinkPart): KvUplinkPart[] {
    const waiting = new Set(this.#strong.get(part.bucket)?.map(({ operation }) => operation.seq))
    const operations = part.operations.filter(({ strong, seq }) => !strong || waiting.has(seq))
    return operations.length > 0 ? [{ ...part, operations }] : []
  }

  /** Why it is to be sent again; undefined: it is done. */
  #take({ bucket, operations }: KvUplinkPart, answer: KvUplinkAnswer | undefined): string | undefined {
    if (!answer) return 'a part of the batch has no answer'
    if (!('results' in answer)) return answer.message
    this.#answered.set(bucket, operations.at(-1)!.seq)
    const waiting = this.#strong.get(bucket) ?? []
    operations.forEach(({ seq, strong: isStrong }, i) => {
      const strong = isStrong ? waiting.find(({ operation }) => operation.seq === seq) : undefined
      if (!strong) return
      strong.answer = { position: answer.position, result: resultOf(answer.results[i]) }
      if (this.#has(bucket, answer.position)) this.#end(bucket, strong, strong.answer.result)
    })
    return undefined
  }

  #gather(): KvUplinkPart[] {
    const parts: KvUplinkPart[] = []
    let room = KV_UPLINK_OPERATIONS_MAX
    let charactersLeft = KV_UPLINK_CHARACTERS_MAX
    for (const bucket of new Set([...this.#buckets, ...this.#strong.keys()])) {
      if (this.#apart.has(bucket)) continue
      if (room <= 0 || charactersLeft <= 0) break
      const part = this.#partOf(bucket, room, charactersLeft, parts.length === 0)
      if (!part) continue
      parts.push(part)
      room -= part.operations.length
      for (const operation of part.operations) charactersLeft -= charactersOf(operation)
    }
    return parts
  }

  /** `isFirst`: one operation is taken whatever its size. */
  #partOf(bucket: number, room: number, charactersMax: number, isFirst: boolean): KvUplinkPart | undefined {
    const { outbox } = this.#options
    const answered = this.#answered.get(bucket) ?? 0
    const taken = outbox.take(bucket, answered, room, charactersMax)
    const last = taken.operations.at(-1)?.seq ?? 0
    // What was asked after changes that wait goes after them; and those of a process before this one have another name.
    const isOpen = taken.instance === outbox.instance(bucket)
    const strong = (this.#strong.get(bucket) ?? [])
      .filter(({ answer, operation: { seq } }) => !answer && isOpen && (taken.isAll || seq < last))
      .map(({ operation }) => operation)
    const operations: KvUplinkOperation[] = []
    let characters = 0
    let strongs = 0
    for (const operation of [...taken.operations, ...strong].toSorted((a, b) => a.seq - b.seq)) {
      characters += charactersOf(operation)
      if (operation.strong) strongs++
      const isOne = isFirst && operations.length === 0
      if (!isOne && (operations.length === room || characters > charactersMax || strongs > STRONG_MAX)) break
      operations.push(operation)
    }
    if (operations.length > 0) return { bucket, instance: taken.instance, operations }
    if (taken.isAll && taken.operations.length === 0) this.#buckets.delete(bucket)
    return undefined
  }
}

const unavailable = (message: string): KvResult => ({ code: 'kv-unavailable', message })

function resultOf(result: KvUplinkResult | undefined): KvResult {
  if (!result) return unavailable('the answer of the control plane has no result')
  if ('code' in result) return result
  const { value, bytes } = result
  return bytes === undefined ? { value } : { value, bytes: decodeBytes(bytes) ?? new Uint8Array() }
}

function uplinkOperation(operation: KvOperation, seq: number): KvUplinkOperation {
  const { namespace, key } = operation
  const common = { seq, namespace, key, strong: true }
  switch (operation.op) {
    case 'put':
      return { ...common, op: 'put', value: encodeBytes(operation.value), ttlMs: operation.ttlMs }
    case 'increment':
      return { ...common, op: 'increment', by: operation.by, ttlMs: operation.ttlMs }
    case 'compareAndSet': {
      const { expected, value, ttlMs } = operation
      return {
        ...common,
        op: 'compareAndSet',
        expected: expected && encodeBytes(expected),
        value: encodeBytes(value),
        ttlMs,
      }
    }
    default:
      return { ...common, op: operation.op }
  }
}
