/**
 * A tier as one worker has it: looks into the index by itself, writes files of bodies by itself, and tells the keeper of both.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { BrokenFile } from '../base/send-file.ts'
import type { Admission, CreateAdmission } from '../contract/admission.ts'
import type {
  DiskObject,
  DiskTier,
  DiskTierCounters,
  DiskTierPlan,
  NewDiskObject,
  StoredFile,
} from '../contract/disk-tier.ts'
import { BodyFile } from './body-file.ts'
import { BodyWrite } from './body-write.ts'
import { CheckedFiles } from './checked-files.ts'
import type { OpenTier, PutRow } from './frames.ts'
import { isUnusable, openIndexForReading, rowSum } from './index-file.ts'
import type { KeeperLink, LinkedTier } from './keeper-link.ts'
import { BLOCK_BYTES, bodyPath, INLINE_BYTES_MAX, randomId } from './layout.ts'
import { belongsTo } from './purge-memory.ts'

/** A body up to this size is read whole, and checked, when it is found; of more than one block only the first time: then the kernel sends it. */
export const WHOLE_BYTES_MAX = 2 * 1024 * 1024
/** Bodies on their way to the disk, all together. */
const WRITING_BYTES_MAX = 64 * 1024 * 1024
const USED_EVERY_MS = 500
const USED_MAX = 4096
/** A disk whose index takes longer than this, so many times in a row, holds up more than it saves: it rests. */
const SLOW_MS = 250
const SLOW_MAX = 4
const REST_MS = 10_000
/** What an object is taken for where its size is not known: for the number of keys that an admission tells apart. */
const OBJECT_BYTES_GUESS = 32 * 1024
const KEYS_MIN = 1024
/** After an error of the file system no body is begun for this long. */
const ERROR_PAUSE_MS = 1_000
const NO_BYTES = Buffer.alloc(0)

type Row = [
  seq: number,
  meta: Uint8Array,
  size: number,
  file: number,
  sums: Uint8Array,
  sum: number,
  body: Uint8Array,
  gone: 0 | 1 | null,
  isAboveFloor: 0 | 1,
]

export class WorkerTier implements DiskTier, LinkedTier {
  readonly plan: DiskTierPlan
  readonly #link: KeeperLink
  readonly #warn: (line: string) => void
  readonly #checked = new CheckedFiles()
  readonly #admission: Admission | undefined
  #open: OpenTier | undefined
  #db: DatabaseSync | undefined
  #find: StatementSync | undefined
  /** Keys that are being removed: not found any more from when that was asked. */
  readonly #removing = new Map<string, number>()
  #used = new Set<number>()
  #usedTimer: NodeJS.Timeout | undefined
  #writingBytes = 0
  #slow = 0
  #restsUntilMs = -Infinity
  #isSlowTold = false
  readonly #counts = { hits: 0, misses: 0, writes: 0, refused: 0, errors: 0 }

  constructor(plan: DiskTierPlan, link: KeeperLink, warn: (line: string) => void, admit: CreateAdmission) {
    this.plan = plan
    this.#link = link
    this.#warn = warn
    const keys = Math.max(KEYS_MIN, plan.bytesMax / OBJECT_BYTES_GUESS)
    this.#admission = admit(plan.admission, { keys, bytes: OBJECT_BYTES_GUESS, random: Math.random })
    link.attach(plan.name, this)
  }

  get objectBytesMax(): number {
    // One object does not empty the tier of everything else.
    return Math.min(this.plan.objectBytesMax, Math.floor(this.plan.bytesMax / 2))
  }

  get counters(): DiskTierCounters {
    return { ...this.#counts }
  }

  onOpen(tier: OpenTier | undefined): void {
    if (
      tier?.generation === this.#open?.generation &&
      tier?.folder === this.#open?.folder &&
      this.#db !== undefined
    )
      return
    this.#closeIndex()
    this.#open = tier?.folder === this.plan.folder ? tier : undefined
    if (this.#open === undefined) return
    try {
      this.#db = openIndexForReading(this.#open.folder)
      this.#find = this.#db.prepare(
        `SELECT object.seq, meta, size, file, sums, sum, body, purged.gone, object.seq > (SELECT floor FROM total)
         FROM object LEFT JOIN purged ON purged.seq = object.seq WHERE key = ?`,
      )
      this.#find.setReturnArrays(true)
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  /** It may be used. */
  get isOpen(): boolean {
    return this.#find !== undefined
  }

  find(key: string): DiskObject | undefined {
    const found = this.#look(key)
    if (found === undefined) this.#counts.misses += 1
    else this.#counts.hits += 1
    return found
  }

  #look(key: string): DiskObject | undefined {
    if (this.#find === undefined || this.#isResting || this.#isRemoving(key)) return undefined
    const startMs = performance.now()
    let row: Row | undefined
    try {
      row = this.#find.get(key) as unknown as Row | undefined
      if (row === undefined || row[7] === 1 || row[8] === 0) return undefined
      this.#noteUsed(row[0])
      return this.#objectOf(key, row)
    } catch (error) {
      this.#fail(error as Error)
      return undefined
    } finally {
      this.#noteTime(performance.now() - startMs)
    }
  }

  #objectOf(key: string, row: Row): DiskObject | undefined {
    const [, meta, size, file, sums, sum, body, gone] = row
    if (rowSum(key, meta, size, file, sums, body) !== sum) {
      this.#broken(key)
      return undefined
    }
    const isSoft = gone === 0
    if (file === 0) return { meta: bufferOf(meta), file: undefined, isSoft, open: () => bufferOf(body) }
    const stored = { id: file, bytes: size, sums: bufferOf(sums) }
    return { meta: bufferOf(meta), file: stored, isSoft, open: () => this.#openFile(key, stored) }
  }

  #openFile(key: string, stored: StoredFile): Buffer | BodyFile | undefined {
    const startMs = performance.now()
    let body: BodyFile | undefined
    try {
      body = new BodyFile(bodyPath(this.plan.folder, stored.id), stored, this.#checked, () =>
        this.#broken(key),
      )
      const isChecked = stored.bytes > BLOCK_BYTES && body.checkedEnd(0) === stored.bytes
      if (stored.bytes <= WHOLE_BYTES_MAX && !isChecked) {
        const whole = body.readWhole()
        body.close()
        return whole
      }
      // What stands at its beginning is right, so that what is answered is known to be there.
      if (body.checkedEnd(0) === 0) body.read(0, Math.min(BLOCK_BYTES, stored.bytes))
      return body
    } catch (error) {
      body?.close()
      if (body !== undefined && !(error instanceof BrokenFile)) throw error
      if (body === undefined && error instanceof BrokenFile) this.#broken(key)
      // There was no descriptor for it; it is found again once there is.
      else if (body === undefined) this.#counts.errors += 1
      return undefined
    } finally {
      this.#noteTime(performance.now() - startMs)
    }
  }

  admits(key: string): boolean {
    if (this.#find === undefined || this.#isResting) return false
    if (this.#admission?.admits(crc32(key), OBJECT_BYTES_GUESS, () => undefined) !== false) return true
    this.#counts.refused += 1
    return false
  }

  openBody(declaredBytes: number): BodyWrite | undefined {
    const isTooMuch = declaredBytes > this.objectBytesMax || this.#writingBytes > WRITING_BYTES_MAX
    if (this.#find === undefined || this.#isResting || !this.#link.hasRoom || isTooMuch) {
      this.#counts.refused += 1
      return undefined
    }
    const { name, folder } = this.plan
    const id = randomId()
    let told = declaredBytes
    let taken = 0
    this.#link.say(['open', name, id, told])
    try {
      return new BodyWrite(folder, id, declaredBytes, {
        onError: (error) => this.#writeFailed(error),
        onDiscard: () => this.#link.say(['close', name, id]),
        onGrow: (bytes) => {
          taken += bytes
          // Of a body whose length nobody knows, the keeper hears as it grows.
          if (taken <= told) return
          told = taken + 16 * BLOCK_BYTES
          this.#link.say(['open', name, id, told])
        },
      })
    } catch (error) {
      this.#link.say(['close', name, id])
      this.#writeFailed(error as Error)
      return undefined
    }
  }

  put(object: NewDiskObject, done: (stored: StoredFile | 'inline' | undefined) => void): void {
    const { body } = object
    switch (body.kind) {
      case 'stored':
        return this.#send(object, body.file, true, NO_BYTES, done)
      case 'written':
        return (body.write as BodyWrite).finish((file) => {
          if (file === undefined) return done(undefined)
          this.#send(object, file, false, NO_BYTES, done)
        })
      case 'bytes':
        if (body.from.length > INLINE_BYTES_MAX) return this.#write(object, body.from, done)
        return this.#send(object, undefined, false, body.from.read(0, body.from.length), done)
    }
  }

  /** Piece by piece, as the disk takes them. */
  #write(
    object: NewDiskObject,
    from: Extract<NewDiskObject['body'], { kind: 'bytes' }>['from'],
    done: (stored: StoredFile | undefined) => void,
  ): void {
    const write = this.openBody(from.length)
    if (write === undefined) return done(undefined)
    from.hold()
    this.#writingBytes += from.length
    const settle = (stored: StoredFile | undefined): void => {
      this.#writingBytes -= from.length
      from.release()
      write.close()
      done(stored)
    }
    const goOn = (): void => {
      while (write.length < from.length) {
        if (write.isCongested) return
        const piece = from.read(write.length, Math.min(from.length, write.length + BLOCK_BYTES))
        if (write.append(piece)) continue
        write.onRelief = undefined
        write.discard()
        return settle(undefined)
      }
      write.onRelief = undefined
      const all = { ...object, body: { kind: 'written', write } } as const
      this.put(all, (stored) => settle(stored === 'inline' ? undefined : stored))
    }
    write.onRelief = goOn
    goOn()
  }

  #send(
    object: NewDiskObject,
    file: StoredFile | undefined,
    isRenewal: boolean,
    bytes: Uint8Array,
    done: (stored: StoredFile | 'inline' | undefined) => void,
  ): void {
    const { key, meta, tags, purgeNumber, begunMs } = object
    if (!this.#link.hasRoom) {
      this.#counts.refused += 1
      return done(undefined)
    }
    const size = file?.bytes ?? bytes.length
    const id = file?.id ?? 0
    const sums = file?.sums ?? NO_BYTES
    const sum = rowSum(key, meta, size, id, sums, bytes)
    const stored = { key, meta, size, file: id, isRenewal, sums, body: bytes, sum }
    const row: PutRow = { ...stored, tags, purgeNumber, begunMs }
    this.#link.ask(
      (ask) => ['put', this.plan.name, ask, row],
      (isRefused) => {
        if (isRefused) this.#counts.refused += 1
        else this.#counts.writes += 1
        done(isRefused ? undefined : (file ?? 'inline'))
      },
    )
  }

  remove(key: string): void {
    this.#removing.set(key, (this.#removing.get(key) ?? 0) + 1)
    this.#link.ask(
      (id) => ['remove', this.plan.name, id, key, Date.now()],
      () => {
        const left = this.#removing.get(key)! - 1
        if (left === 0) this.#removing.delete(key)
        else this.#removing.set(key, left)
      },
    )
  }

  drop(key: string): void {
    this.#link.say(['drop', this.plan.name, key])
  }

  close(): void {
    this.flushUsed()
    this.#link.detach(this)
    this.#closeIndex()
    // Nor does a try that is still to come open it again.
    this.#open = undefined
  }

  #isRemoving(key: string): boolean {
    if (this.#removing.size === 0) return false
    for (const removed of this.#removing.keys()) if (belongsTo(key, removed)) return true
    return false
  }

  get #isResting(): boolean {
    return this.#restsUntilMs > -Infinity && performance.now() < this.#restsUntilMs
  }

  #broken(key: string): void {
    this.#counts.errors += 1
    this.#link.say(['drop', this.plan.name, key])
  }

  #writeFailed(error: Error): void {
    this.#counts.errors += 1
    this.#restsUntilMs = Math.max(this.#restsUntilMs, performance.now() + ERROR_PAUSE_MS)
    this.#link.say(['failed', this.plan.name, error.message])
  }

  #fail(error: Error): void {
    this.#counts.errors += 1
    const generation = this.#open?.generation ?? 0
    this.#closeIndex()
    if (isUnusable(error)) this.#link.say(['broken', this.plan.name, generation, error.message])
    else setTimeout(() => this.onOpen(this.#open), ERROR_PAUSE_MS).unref()
  }

  #noteTime(ms: number): void {
    if (ms < SLOW_MS) {
      this.#slow = 0
      if (!this.#isSlowTold) return
      this.#isSlowTold = false
      this.#warn(`the cache in ${this.plan.folder} is quick again`)
      return
    }
    if (++this.#slow < SLOW_MAX) return
    this.#slow = SLOW_MAX - 1
    this.#restsUntilMs = performance.now() + REST_MS
    if (this.#isSlowTold) return
    this.#isSlowTold = true
    this.#warn(
      `the disk of the cache in ${this.plan.folder} is slow (${Math.round(ms)} ms for a look at its index): it is asked again now and then`,
    )
  }

  #noteUsed(seq: number): void {
    if (this.plan.policy === 'fifo' || this.#used.has(seq)) return
    this.#used.add(seq)
    if (this.#used.size >= USED_MAX) return this.flushUsed()
    this.#usedTimer ??= setTimeout(() => this.flushUsed(), USED_EVERY_MS).unref()
  }

  /** Tells what was used since it was told last. */
  flushUsed(): void {
    clearTimeout(this.#usedTimer)
    this.#usedTimer = undefined
    if (this.#used.size === 0) return
    this.#link.say(['used', this.plan.name, Array.from(this.#used)])
    this.#used = new Set()
  }

  #closeIndex(): void {
    this.#find = undefined
    const db = this.#db
    this.#db = undefined
    try {
      db?.close()
    } catch {
      // It only read.
    }
  }
}

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
