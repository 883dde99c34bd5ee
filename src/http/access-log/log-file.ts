/**
 * A file that several processes append whole lines to, and that never holds up a request.
 *
 * Lines gather for a moment and leave in one `write`, made by a thread of Node's pool, one at a time a file: O_APPEND puts them
 * behind whatever others have written, in one piece. A disk that is slow, full or broken only lets lines pile up to a bound; beyond
 * it they are dropped and counted. The operator is told once when it begins, and once when it is over.
 */
import { close, constants, fstat, ftruncate, open, readFile, write } from 'node:fs'
import { promisify } from 'node:util'
import { within } from '../../base/within.ts'

/** Lines leave when so many bytes have come, or after a moment. */
const CHUNK_BYTES = 64 * 1024
const GATHER_MS = 100
/** Bytes that wait for a disk at most. */
const WAITING_MAX = 8 * 1024 * 1024
/** A pipe takes so many bytes in one piece (PIPE_BUF of pipe(7)); longer writes of several processes would mix. */
const PIPE_PIECE = 4096
const RETRY_MS = 1000
const PIPE_RETRY_MS = 20
/** A file that nothing is written to for so long is closed until there is a line: a reload may have left it out. */
const UNUSED_MS = 60_000
/** What a drain gives a disk that does not answer. */
const CLOSE_MAX_MS = 2000
const DISK_FULL = 'the disk is full'

const call = {
  open: promisify(open),
  close: promisify(close),
  fstat: promisify(fstat),
  ftruncate: promisify(ftruncate),
  readFile: promisify(readFile),
}

interface Chunk {
  readonly bytes: Buffer
  used: number
  lines: number
}

export interface LogFileOptions {
  readonly path: string
  /** An inherited descriptor instead of a file of that path: standard output. */
  readonly fd?: number
  /** Tells the operator. */
  readonly warn: (line: string) => void
  /** Until a file that nothing is written to is closed, in milliseconds. Default 60,000. */
  readonly unusedMs?: number
}

export class LogFile {
  readonly path: string
  /** Lines that have left, and those that were dropped. */
  written = 0
  dropped = 0
  readonly #options: LogFileOptions
  #fd: number | undefined
  #isPipe = false
  /** What waits: the last one is being filled. */
  readonly #chunks: Chunk[] = []
  #waitingBytes = 0
  /** A spare chunk, so that the steady case allocates nothing. */
  #spare: Chunk | undefined
  #timer: NodeJS.Timeout | undefined
  /** A write, an open or a wait before the next attempt is under way. */
  #isBusy = false
  #retry: NodeJS.Timeout | undefined
  #unused: NodeJS.Timeout | undefined
  #wantsReopen = false
  #failure: string | undefined
  #droppedBefore = 0
  #onIdle: (() => void) | undefined
  #isClosed = false

  constructor(options: LogFileOptions) {
    this.#options = options
    this.path = options.path
    void this.#work()
  }

  /** `line` is printable ASCII and ends in a line feed. */
  append(line: string): void {
    const { length } = line
    if (this.#waitingBytes + length > WAITING_MAX) {
      this.dropped += 1
      return
    }
    let chunk = this.#chunks.at(-1)
    if (chunk === undefined || chunk.used + length > chunk.bytes.length) chunk = this.#nextChunk(length)
    chunk.bytes.write(line, chunk.used, 'latin1')
    chunk.used += length
    chunk.lines += 1
    this.#waitingBytes += length
    this.#timer ??= setTimeout(this.#onTimer, GATHER_MS)
  }

  /** A full chunk leaves at once. */
  #nextChunk(length: number): Chunk {
    const chunk =
      this.#spare !== undefined && length <= CHUNK_BYTES
        ? this.#spare
        : { bytes: Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, length)), used: 0, lines: 0 }
    if (chunk === this.#spare) this.#spare = undefined
    const hadOne = this.#chunks.push(chunk) > 1
    if (hadOne) void this.#work()
    return chunk
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined
    void this.#work()
  }

  /** Opens the path anew: whoever rotates logs has moved the file away. */
  reopen(): void {
    if (this.#options.fd !== undefined) return
    this.#wantsReopen = true
    if (this.#retry !== undefined) this.#endWait()
    void this.#work()
  }

  /** Writes what waits, within the time that a disk is given. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    clearTimeout(this.#unused)
    if (this.#retry !== undefined) this.#endWait()
    const idle = new Promise<void>((done) => (this.#onIdle = done))
    void this.#work()
    await within(CLOSE_MAX_MS, idle)
    this.#isClosed = true
    clearTimeout(this.#retry)
    for (const chunk of this.#chunks) this.dropped += chunk.lines
    this.#chunks.length = 0
  }

  async #work(): Promise<void> {
    if (this.#isBusy) return
    this.#isBusy = true
    try {
      do {
        if (this.#fd === undefined || this.#wantsReopen) await this.#open()
        while (this.#chunks.length > 0) await this.#writeOldest()
      } while (this.#wantsReopen)
      this.#isBusy = false
      this.#onIdle?.()
      this.#closeUnused()
    } catch (error) {
      this.#fail(error as NodeJS.ErrnoException)
    }
  }

  #closeUnused(): void {
    clearTimeout(this.#unused)
    // Whoever reads a pipe would take it for the end.
    if (this.#options.fd !== undefined || this.#isPipe || this.#isClosed) return
    this.#unused = setTimeout(() => {
      const fd = this.#fd
      if (this.#isBusy || fd === undefined) return
      this.#fd = undefined
      close(fd, () => {})
    }, this.#options.unusedMs ?? UNUSED_MS)
    this.#unused.unref()
  }

  async #open(): Promise<void> {
    const before = this.#fd
    this.#wantsReopen = false
    try {
      this.#fd = this.#options.fd ?? (await call.open(this.path, APPEND, 0o640))
    } catch (error) {
      if (before === undefined) throw error
      this.#options.warn(
        `access log ${this.path} cannot be reopened: ${(error as Error).message}. It goes on in the file it had`,
      )
      return
    }
    if (before !== undefined) await call.close(before)
    this.#isPipe = !(await call.fstat(this.#fd)).isFile()
  }

  /** The chunk that is being filled is taken as it is: what comes meanwhile goes into the next one. */
  async #writeOldest(): Promise<void> {
    const chunk = this.#chunks[0]!
    if (this.#chunks.length === 1) this.#chunks.push(this.#takeSpare())
    try {
      while (chunk.used > 0) await this.#writePiece(chunk)
    } finally {
      if (chunk.used === 0) {
        this.#chunks.shift()
        if (chunk.bytes.length === CHUNK_BYTES) this.#spare = chunk
      }
      if (this.#chunks.length === 1 && this.#chunks[0]!.used === 0) this.#spare = this.#chunks.pop()
    }
    if (this.#failure !== undefined) this.#recovered()
  }

  #takeSpare(): Chunk {
    const chunk = this.#spare ?? { bytes: Buffer.allocUnsafeSlow(CHUNK_BYTES), used: 0, lines: 0 }
    this.#spare = undefined
    return chunk
  }

  /** One write of whole lines; what has left is taken from the front of the chunk. */
  async #writePiece(chunk: Chunk): Promise<void> {
    const length = this.#isPipe ? pieceFor(chunk) : chunk.used
    const sent = await writeOnce(this.#fd!, chunk.bytes, length)
    let whole = sent
    if (sent < length && !this.#isPipe) {
      // A file takes less than all where its disk is full. Half a line must not stay: another process would go on behind it.
      whole = chunk.bytes.lastIndexOf(LINE_FEED, sent - 1) + 1
      if (!(await this.#cutBack(sent - whole))) whole = sent
    }
    this.#take(chunk, whole)
    if (sent < length && !this.#isPipe) throw Object.assign(new Error(DISK_FULL), { code: 'ENOSPC' })
  }

  #take(chunk: Chunk, bytes: number): void {
    const lines = bytes === chunk.used ? chunk.lines : linesIn(chunk.bytes, bytes)
    if (bytes < chunk.used) chunk.bytes.copyWithin(0, bytes, chunk.used)
    chunk.used -= bytes
    chunk.lines -= lines
    this.written += lines
    this.#waitingBytes -= bytes
  }

  /** Takes back what was just written, if nobody has written behind it. */
  async #cutBack(bytes: number): Promise<boolean> {
    if (bytes === 0) return true
    try {
      const info = await call.readFile(`/proc/self/fdinfo/${this.#fd}`, 'latin1')
      const end = Number(/^pos:\s+(\d+)/m.exec(info)?.[1])
      if ((await call.fstat(this.#fd!)).size !== end) return false
      await call.ftruncate(this.#fd!, end - bytes)
      return true
    } catch {
      return false
    }
  }

  #fail(error: NodeJS.ErrnoException): void {
    if (this.#isClosed) return
    // A pipe that is full, because its reader is slow: that is what the bound is for.
    const isFull = error.code === 'EAGAIN'
    if (!isFull && this.#failure === undefined) {
      // One worker fills the disk, the others meet it full: in the same words it is told once.
      this.#failure = error.code === 'ENOSPC' ? DISK_FULL : error.message
      this.#droppedBefore = this.dropped
      this.#options.warn(
        `access log ${this.path} cannot be written: ${this.#failure}. Requests are served; lines wait, and are dropped and counted ` +
          'when there are too many',
      )
    }
    this.#retry = setTimeout(
      () => {
        this.#endWait()
        void this.#work()
      },
      isFull ? PIPE_RETRY_MS : RETRY_MS,
    )
  }

  #endWait(): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
    this.#isBusy = false
  }

  #recovered(): void {
    this.#failure = undefined
    this.#options.warn(
      `access log ${this.path} is written again; ${this.dropped - this.#droppedBefore} lines were dropped`,
    )
  }
}

const LINE_FEED = 10
/** A named pipe that nobody reads must not hold a thread: it is an error then, and tried again. */
const APPEND =
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOCTTY | constants.O_NONBLOCK

/** As many whole lines as a pipe takes in one piece, or one line where it is longer. */
function pieceFor({ bytes, used }: Chunk): number {
  if (used <= PIPE_PIECE) return used
  const end = bytes.lastIndexOf(LINE_FEED, PIPE_PIECE - 1) + 1
  return end > 0 ? end : bytes.indexOf(LINE_FEED) + 1
}

function linesIn(bytes: Buffer, end: number): number {
  let lines = 0
  for (let at = bytes.indexOf(LINE_FEED); at >= 0 && at < end; lines += 1)
    at = bytes.indexOf(LINE_FEED, at + 1)
  return lines
}

function writeOnce(fd: number, bytes: Buffer, length: number): Promise<number> {
  return new Promise((resolve, reject) =>
    write(fd, bytes, 0, length, null, (error, sent) => (error ? reject(error) : resolve(sent))),
  )
}
