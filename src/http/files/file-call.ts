/**
 * The answer to one request for a file, told to the pipeline piece by piece as it can take them.
 *
 * What is small is read at once, in the turn in which it was asked for, as web servers do: the kernel mostly has it in memory, and
 * a trip to a thread costs more than the read. Larger files are read by threads, one piece at a time and never ahead of the
 * client. The head promises a length, so a file that becomes shorter, or is written anew while it is sent, ends the
 * connection: what the client got is then not whole, and it can tell.
 */
import { close, closeSync, fstat, read, readSync } from 'node:fs'
import { EdgeError } from '../../base/errors.ts'
import type { OriginHandler, SentCall } from '../../contract/origin.ts'
import type { HeaderList } from '../../wire/http1/message.ts'
import { statusText } from '../../wire/http1/serialise.ts'
import type { Range } from '../ranges/byte-ranges.ts'
import { lengthOf, type Segment } from '../ranges/multipart.ts'
import type { OpenFile } from './root-folder.ts'

/** What is said to a request. */
export interface FileAnswer {
  readonly status: number
  readonly headers: HeaderList
  readonly segments: readonly Segment[]
  /** Closed when the answer is over. Absent where all segments are text. */
  readonly file: OpenFile | undefined
}

/** Read at once. */
const SMALL_BYTES = 64 * 1024
const PIECE_BYTES = 128 * 1024
/** Of all calls of this process: what it holds is handed on before it is used again. */
const smallBuffer = Buffer.allocUnsafeSlow(SMALL_BYTES)

export class FileCall implements SentCall {
  readonly connectMs = 0
  responseMs = 0
  readonly endpoint = ''
  private readonly handler: OriginHandler
  private answer: FileAnswer | undefined
  private segment = 0
  /** How far it is in a segment that is a range. */
  private at = 0
  private isFlowing = false
  private isReading = false
  private isOver = false
  private piece: Buffer | undefined

  constructor(handler: OriginHandler) {
    this.handler = handler
  }

  get isAborted(): boolean {
    return this.isOver
  }

  /** Takes the answer over, and its file. `hasBody`: the method asks for one, and the status allows it. */
  start(answer: FileAnswer, hasBody: boolean): void {
    this.answer = hasBody ? answer : { ...answer, segments: [] }
    const small = hasBody ? this.readSmall(answer) : undefined
    if (this.isOver) return
    const length = lengthOf(answer.segments)
    const { status, headers } = answer
    this.isFlowing = true
    this.handler.onHead({
      status,
      reason: statusText(status),
      minor: 1,
      headers: status === 304 || status === 204 ? headers : [...headers, 'content-length', String(length)],
      framing: hasBody ? { kind: 'length', bytes: length } : { kind: 'none' },
      keepAlive: true,
      nominated: [],
    })
    if (this.isOver) return
    if (small === undefined) this.flow()
    else if (small.length === 0 || this.handler.onData(small)) this.finish()
    else this.segment = answer.segments.length
  }

  /** The whole body, where it is one small range; nothing has been told yet. */
  private readSmall({ segments, file }: FileAnswer): Buffer | undefined {
    const [only] = segments
    if (file === undefined || segments.length !== 1 || typeof only !== 'object') return undefined
    const length = only.end - only.start
    if (length > SMALL_BYTES) return undefined
    try {
      for (let at = 0; at < length;) {
        const bytes = readSync(file.descriptor, smallBuffer, at, length - at, only.start + at)
        if (bytes === 0) {
          this.fail('became shorter while it was read')
          return undefined
        }
        at += bytes
      }
    } catch (error) {
      this.fail(`cannot be read (${(error as NodeJS.ErrnoException).code})`)
      return undefined
    }
    this.letGo()
    return smallBuffer.subarray(0, length)
  }

  private flow(): void {
    while (this.isFlowing && !this.isOver && !this.isReading) {
      const segment = this.answer!.segments[this.segment]
      if (segment === undefined) {
        this.finish()
      } else if (typeof segment === 'string') {
        this.segment += 1
        this.isFlowing = this.handler.onData(Buffer.from(segment, 'latin1'))
      } else {
        this.readPiece(segment)
      }
    }
  }

  private readPiece({ start, end }: Range): void {
    this.piece ??= Buffer.allocUnsafeSlow(PIECE_BYTES)
    const from = start + this.at
    const wanted = Math.min(PIECE_BYTES, end - from)
    this.isReading = true
    read(this.answer!.file!.descriptor, this.piece, 0, wanted, from, (error, bytes) => {
      this.isReading = false
      if (this.isOver) this.letGo()
      else if (error !== null) this.fail(`cannot be read (${error.code})`)
      else if (bytes === 0) this.fail('became shorter while it was sent')
      else if (from + bytes === end) this.check(() => this.onPiece(bytes, true))
      else this.onPiece(bytes, false)
    })
  }

  private onPiece(bytes: number, isLast: boolean): void {
    this.at = isLast ? 0 : this.at + bytes
    if (isLast) this.segment += 1
    this.isFlowing = this.handler.onData(this.piece!.subarray(0, bytes))
    this.flow()
  }

  /** Before the end of a range leaves: is it still the file that the head spoke of? One that only grows may go on. */
  private check(goOn: () => void): void {
    const { descriptor, stats } = this.answer!.file!
    this.isReading = true
    fstat(descriptor, (error, now) => {
      this.isReading = false
      if (this.isOver) this.letGo()
      else if (error !== null) this.fail(`cannot be read (${error.code})`)
      else if (now.size < stats.size || (now.size === stats.size && now.mtimeMs !== stats.mtimeMs))
        this.fail('was changed while it was sent')
      else goOn()
    })
  }

  private finish(): void {
    this.isOver = true
    this.letGo()
    this.handler.onEnd([])
  }

  private fail(what: string): void {
    this.isOver = true
    this.letGo()
    this.handler.onError(new EdgeError('file-changed', `a file ${what}`))
  }

  /** Closes the file, once nobody reads it: its number may be another file's a moment later. */
  private letGo(): void {
    const file = this.answer?.file
    if (file === undefined || this.isReading) return
    this.answer = { ...this.answer!, file: undefined }
    if (this.piece === undefined) closeSync(file.descriptor)
    else close(file.descriptor, () => {})
  }

  resume(): void {
    if (this.isOver || this.answer === undefined) return
    this.isFlowing = true
    // Not from within a call of the handler: it is not told anything while it is being told something.
    process.nextTick(() => this.flow())
  }

  abort(): void {
    this.isOver = true
    this.letGo()
  }

  /** Nobody reads the request's body. */
  write(): boolean {
    return true
  }

  end(): void {}

  /** A file never answers 101. */
  relay(): boolean {
    return true
  }

  endRelay(): void {}
}
