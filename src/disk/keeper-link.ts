/**
 * A worker's way to the keeper: what it has to say in one turn leaves in one write.
 *
 * It is taken once there is a tier: a worker without one has no keeper to look for. A tier may be used while the keeper is there and says so. What has to be removed is asked for until it is answered, also by a keeper
 * that begins after another one has died; of everything else nothing is missed that is lost on the way.
 */
import { connect, type Socket } from 'node:net'
import { FrameReader, frameOf, type FromKeeper, type OpenTier, type ToKeeper } from './frames.ts'

const RETRY_FIRST_MS = 20
const RETRY_MAX_MS = 1_000
/** What may wait in the socket: beyond it, nothing more is stored until the keeper has caught up. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024

export interface LinkedTier {
  /** It may be used from now on, with this index; undefined: no more. */
  onOpen(tier: OpenTier | undefined): void
}

type Numbered = Extract<ToKeeper, readonly ['put' | 'remove', ...unknown[]]>

interface Asked {
  readonly message: Numbered
  readonly done: (isRefused: boolean) => void
}

export class KeeperLink {
  readonly #path: string
  /** Several of one name where sites change: those that go are used until the others are live. */
  readonly #tiers = new Map<LinkedTier, string>()
  #open: readonly OpenTier[] = []
  #socket: Socket | undefined
  #isConnected = false
  #queued: ToKeeper[] = []
  #isFlushSet = false
  readonly #asked = new Map<number, Asked>()
  #lastId = 0
  #retryMs = RETRY_FIRST_MS
  #retryTimer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(path: string) {
    this.#path = path
  }

  attach(name: string, tier: LinkedTier): void {
    this.#tiers.set(tier, name)
    this.#begin()
    tier.onOpen(this.#openTier(name))
  }

  detach(tier: LinkedTier): void {
    this.#tiers.delete(tier)
  }

  /** Whether there is room for what can be left out. */
  get hasRoom(): boolean {
    return this.#isConnected && (this.#socket?.writableLength ?? 0) < WAITING_BYTES_MAX
  }

  say(message: Exclude<ToKeeper, Numbered>): void {
    if (this.#isConnected) this.#queue(message)
  }

  /** `done` is told once it is done or refused: for a `put` also where the keeper has gone. */
  ask(make: (id: number) => Numbered, done: (isRefused: boolean) => void): void {
    const message = make(++this.#lastId)
    if (!this.#isConnected && message[0] === 'put') return done(true)
    this.#asked.set(this.#lastId, { message, done })
    if (this.#isConnected) this.#queue(message)
    else this.#begin()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#retryTimer)
    this.#flush()
    this.#socket?.end()
  }

  #queue(message: ToKeeper): void {
    this.#queued.push(message)
    if (this.#isFlushSet) return
    this.#isFlushSet = true
    setImmediate(() => this.#flush())
  }

  #flush(): void {
    this.#isFlushSet = false
    const queued = this.#queued
    this.#queued = []
    if (queued.length > 0 && this.#isConnected) this.#socket!.write(frameOf(queued))
  }

  /** Where there is something to say, and nobody is on the way yet. */
  #begin(): void {
    if (this.#socket === undefined && this.#retryTimer === undefined) this.#connect()
  }

  #connect(): void {
    this.#retryTimer = undefined
    if (this.#isClosed) return
    const socket = connect(this.#path)
    this.#socket = socket
    const reader = new FrameReader<FromKeeper>((message) => this.#hear(message))
    socket.on('connect', () => {
      this.#isConnected = true
      this.#retryMs = RETRY_FIRST_MS
      // First what has to go, before anything can be found.
      for (const { message } of this.#asked.values()) this.#queue(message)
      this.#flush()
    })
    socket.on('data', (chunk: Buffer) => reader.push(chunk))
    socket.on('error', () => undefined)
    socket.on('close', () => this.#lost())
    socket.unref()
  }

  #lost(): void {
    this.#isConnected = false
    this.#socket = undefined
    this.#queued = []
    this.#useTiers([])
    for (const [id, { message, done }] of this.#asked) {
      if (message[0] !== 'put') continue
      this.#asked.delete(id)
      done(true)
    }
    if (this.#isClosed || (this.#tiers.size === 0 && this.#asked.size === 0)) return
    this.#retryTimer = setTimeout(() => this.#connect(), this.#retryMs)
    this.#retryTimer.unref()
    this.#retryMs = Math.min(RETRY_MAX_MS, this.#retryMs * 2)
  }

  #hear(message: FromKeeper): void {
    if (message.kind === 'tiers') return this.#useTiers(message.tiers)
    const refused = new Set(message.refused)
    for (const id of message.done) {
      const asked = this.#asked.get(id)
      this.#asked.delete(id)
      asked?.done(refused.has(id))
    }
  }

  #useTiers(tiers: readonly OpenTier[]): void {
    this.#open = tiers
    for (const [tier, name] of this.#tiers) tier.onOpen(this.#openTier(name))
  }

  #openTier(name: string): OpenTier | undefined {
    return this.#open.find((tier) => tier.name === name)
  }
}
