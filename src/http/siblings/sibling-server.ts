/** Answers what the other workers of the node ask: with what is stored here, or what is on its way. Asks nobody itself. */
import { rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import type { EdgeError } from '../../base/errors.ts'
import { Arrival, type ArrivalReader } from '../caching/arrival.ts'
import { copyOfArriving, copyOfStored } from '../caching/copies.ts'
import type { Waiting } from '../caching/flights.ts'
import type { ResponseCache } from '../caching/response-cache.ts'
import type { StoredBody } from '../caching/stored-body.ts'
import { StoredResponse } from '../caching/stored-response.ts'
import { dataHeader, END_FRAME, FrameReader, KIND, textFrame } from './frames.ts'
import { headOf, NOT_HERE, type Ask, type Here, type Invalidation, type NotHere } from './messages.ts'

const PIECE_BYTES = 64 * 1024

export interface SiblingServerOptions {
  /** The cache of the site as it is live now; undefined where there is none, or another one. */
  cacheOf(site: string, likeness: string | undefined): ResponseCache | undefined
  now(): number
  /** The last purge that this worker has applied. */
  purges(): number
}

export class SiblingServer {
  readonly #options: SiblingServerOptions
  readonly #server: Server
  readonly #answers = new Set<SiblingAnswers>()
  #onIdle: (() => void) | undefined

  constructor(options: SiblingServerOptions) {
    this.#options = options
    this.#server = createServer((socket) => {
      const answers = new SiblingAnswers(socket, this.#options, () => {
        if (!this.isBusy) this.#onIdle?.()
      })
      this.#answers.add(answers)
      socket.on('close', () => this.#answers.delete(answers))
    })
  }

  /** The folder is the node's own, and nobody else may look into it. */
  async listen(path: string): Promise<void> {
    // Of a worker before it that was killed.
    rmSync(path, { force: true })
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(path, () => resolve())
    })
    // A socket that nobody accepts from any more (too many files): siblings go to the origin instead.
    this.#server.on('error', () => {})
  }

  get isBusy(): boolean {
    for (const answers of this.#answers) if (answers.isBusy) return true
    return false
  }

  /** Resolves when nothing is on its way to a sibling, or after so many milliseconds. */
  async drain(timeoutMs: number): Promise<void> {
    if (this.isBusy && timeoutMs > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs)
        this.#onIdle = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    this.#server.close()
    for (const answers of this.#answers) answers.close()
  }
}

/** One connection: its questions come one after the other. */
class SiblingAnswers {
  isBusy = false
  readonly #socket: Socket
  readonly #options: SiblingServerOptions
  readonly #onDone: () => void
  readonly #frames: FrameReader
  /** What is waited for, or read, on behalf of the one who asks. */
  #seat: Waiting | undefined
  #reader: ArrivalReader | undefined
  #isWhole = false
  #stored: StoredBody | undefined
  #at = 0

  constructor(socket: Socket, options: SiblingServerOptions, onDone: () => void) {
    this.#socket = socket
    this.#options = options
    this.#onDone = onDone
    this.#frames = new FrameReader({
      onText: (kind, value) => {
        if (kind === KIND.invalidate) this.#invalidate(value as Invalidation)
        else if (kind === KIND.ask && !this.isBusy) this.#ask(value as Ask)
        else throw new Error('not a question')
      },
      onData() {
        throw new Error('not a question')
      },
    })
    socket.on('data', (chunk: Buffer) => {
      try {
        this.#frames.push(chunk)
      } catch {
        this.close()
      }
    })
    socket.on('drain', () => this.#flow())
    socket.on('error', () => {})
    socket.on('close', () => this.#letGo())
  }

  close(): void {
    this.#frames.isClosed = true
    this.#socket.destroy()
  }

  #invalidate({ site, keys }: Invalidation): void {
    const cache = this.#options.cacheOf(site, undefined)
    if (cache !== undefined) for (const key of keys) cache.invalidate(key, false)
  }

  #ask(ask: Ask): void {
    this.isBusy = true
    const deadlineMs = this.#options.now() + ask.waitMs
    this.#look(ask, deadlineMs)
  }

  #look(ask: Ask, deadlineMs: number): void {
    const { cacheOf, now, purges } = this.#options
    const cache = cacheOf(ask.site, ask.likeness)
    if (cache === undefined || ask.purges > purges()) return this.#none(NOT_HERE)
    const head = headOf(ask)
    const nowMs = now()
    const found = cache.sharing.share(ask.key, head, nowMs, deadlineMs, (error, arrival) => {
      this.#seat = undefined
      if (error !== undefined) this.#none({ ...NOT_HERE, failed: failureOf(error) })
      else if (arrival !== undefined) this.#follow(arrival)
      else this.#look(ask, deadlineMs)
    })
    if (found === undefined) this.#none(cache.sharing.known(ask.key, head, nowMs))
    else if (found instanceof StoredResponse) this.#send(found)
    else if (found instanceof Arrival) this.#follow(found)
    else this.#seat = found
  }

  #none(none: NotHere): void {
    this.#socket.write(textFrame(KIND.none, none))
    this.#done()
  }

  #send(entry: StoredResponse): void {
    const here: Here = { copied: copyOfStored(entry), purges: this.#options.purges(), isArriving: false }
    this.#socket.cork()
    this.#socket.write(textFrame(KIND.head, here))
    this.#stored = entry.body
    this.#stored.hold()
    this.#at = 0
    this.#flow()
    this.#socket.uncork()
  }

  #follow(arrival: Arrival): void {
    const here: Here = { copied: copyOfArriving(arrival), purges: this.#options.purges(), isArriving: true }
    this.#socket.write(textFrame(KIND.head, here))
    this.#isWhole = false
    this.#reader = arrival.follow({
      onMore: () => this.#flow(),
      onEnd: () => {
        this.#isWhole = true
        this.#flow()
      },
      // It will not be whole there either.
      onBroken: () => this.close(),
    })
    this.#flow()
  }

  /** What there is goes out, as far as the other side takes it. */
  #flow(): void {
    const socket = this.#socket
    while (!socket.writableNeedDrain && this.#hasMore) {
      const piece = this.#next()
      // It lies in a file that is not what it was, and will not be whole there either.
      if (piece === undefined) return this.close()
      socket.cork()
      socket.write(dataHeader(piece.length))
      socket.write(piece)
      socket.uncork()
    }
    const isStoredOut = this.#stored !== undefined && this.#at === this.#stored.length
    const isReadOut = this.#reader?.left === 0 && this.#isWhole
    if (!isStoredOut && !isReadOut) return
    socket.write(END_FRAME)
    this.#letGo()
    this.#done()
  }

  get #hasMore(): boolean {
    if (this.#reader !== undefined) return this.#reader.left > 0
    return this.#stored !== undefined && this.#at < this.#stored.length
  }

  #next(): Buffer | undefined {
    if (this.#reader !== undefined) return this.#reader.read(PIECE_BYTES)
    const body = this.#stored!
    const piece = body.readIfWhole(this.#at, Math.min(body.length, this.#at + PIECE_BYTES))
    this.#at += piece?.length ?? 0
    return piece
  }

  #letGo(): void {
    this.#seat?.cancel()
    this.#seat = undefined
    this.#reader?.close()
    this.#reader = undefined
    this.#stored?.release()
    this.#stored = undefined
    if (this.#socket.destroyed && this.isBusy) this.#done()
  }

  #done(): void {
    this.isBusy = false
    this.#onDone()
  }
}

const failureOf = ({ code, message }: EdgeError) => ({ code, message })
