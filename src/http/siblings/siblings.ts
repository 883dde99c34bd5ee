/**
 * The workers of a node as one cache: before one of them asks the origin, it looks whether another has the answer, or is at it.
 *
 *     table (words that all see)   nobody          this worker fetches it, and says so
 *                                  W is fetching   it is asked of W, which sends it while it comes
 *                                  W has it        it is asked of W
 *
 * Only what has missed in this worker comes here; and nothing that cannot be shared does. What W sends fills the cache of this worker as
 * an answer of the origin would, with whoever waits for it here. If W does not have it (it was evicted, it is another variant) or is
 * gone, this worker takes over. See `sibling-table.ts` for why a wrong word does no harm.
 */
import { dirname, join } from 'node:path'
import { EdgeError } from '../../base/errors.ts'
import { ERROR_CODES, type ErrorCode } from '../../base/error-codes.ts'
import type { SiteConfig } from '../../config/schema.ts'
import { responseOf } from '../caching/copies.ts'
import type { CacheFill } from '../caching/fill.ts'
import { tagsOf } from '../caching/purging/response-tags.ts'
import type { ResponseCache } from '../caching/response-cache.ts'
import { asksForPlain, type Site, type SiteTable } from '../sites.ts'
import { askedHeaders, type Here, type NotHere } from './messages.ts'
import { SiblingCalls, type SiblingCall } from './sibling-calls.ts'
import { SiblingServer } from './sibling-server.ts'
import { SiblingTable, type Place, type Seen } from './sibling-table.ts'

/** How long one that has it may take to say so. */
const HAS_WAIT_MS = 1_000
/** How often the table is asked anew for one answer, before the origin is. */
const LOOKS_MAX = 8

export interface SiblingsOptions {
  /** The number of this worker, and of how many. */
  readonly worker: number
  readonly workers: number
  /** Where the words lie; the sockets lie beside them. */
  readonly path: string
  readonly words: Int32Array
  /** The sites that are live now. */
  sites(): SiteTable
  now(): number
  /** The number of the last purge that this worker has applied; absent where purges have none. */
  readonly purges?: () => number
}

/** One of them is called, once. `onBorrowed`: the fill is filled, and `fill.arrival` can be followed. */
export interface SeekEvents {
  onBorrowed(isArriving: boolean): void
  /** Nobody has it: the origin is to be asked, and the fill filled by whoever asks. */
  onNobody(): void
  /** Another worker asked the origin, which failed. The fill was told. */
  onFailed(error: EdgeError): void
}

export class Siblings {
  readonly #options: SiblingsOptions
  readonly #table: SiblingTable
  readonly #server: SiblingServer
  readonly #calls: SiblingCalls
  /** Of a site, not of its cache: several sites may have one. */
  readonly #likeness = new WeakMap<SiteConfig, string>()

  constructor(options: SiblingsOptions) {
    this.#options = options
    this.#table = new SiblingTable(options.words, options.worker)
    this.#table.forget()
    this.#calls = new SiblingCalls((worker) => join(dirname(options.path), `sibling-${worker}`))
    this.#server = new SiblingServer({
      cacheOf: (name, likeness) => this.#cacheOf(name, likeness),
      now: () => options.now(),
      purges: () => options.purges?.() ?? 0,
    })
  }

  listen(): Promise<void> {
    const { path, worker } = this.#options
    return this.#server.listen(join(dirname(path), `sibling-${worker}`))
  }

  /** Looks where the answer is that this fill is for. */
  seek(site: Site, fill: CacheFill, waitMs: number, events: SeekEvents): Seeking {
    const seeking = new Seeking(
      {
        table: this.#table,
        calls: this.#calls,
        now: () => this.#options.now(),
        purges: () => this.#options.purges?.() ?? 0,
        likeness: this.#likenessOf(site),
      },
      site,
      fill,
      waitMs,
      events,
    )
    seeking.start()
    return seeking
  }

  /** What this worker has dropped the others are to drop. */
  invalidated(site: string, keys: readonly string[]): void {
    const { worker, workers } = this.#options
    for (let other = 0; other < workers; other++)
      if (other !== worker) this.#calls.tell(other, { site, keys })
  }

  /** What is on its way to others is sent, for so long at most. */
  async drain(timeoutMs: number): Promise<void> {
    await this.#server.drain(timeoutMs)
    this.#calls.close()
  }

  #cacheOf(name: string, likeness: string | undefined): ResponseCache | undefined {
    const site = this.#options.sites().sites.find((candidate) => candidate.name === name)
    if (site?.cache === undefined) return undefined
    return likeness === undefined || likeness === this.#likenessOf(site) ? site.cache : undefined
  }

  /** Caches that were built of the same configuration hold the same answers under the same keys. */
  #likenessOf({ config }: Site): string {
    let likeness = this.#likeness.get(config)
    if (likeness === undefined) {
      const { bucket, tag } = this.#table.place(
        JSON.stringify([config.cache, config.compress, asksForPlain(config)]),
      )
      likeness = `${bucket} ${tag}`
      this.#likeness.set(config, likeness)
    }
    return likeness
  }
}

interface SeekParts {
  readonly table: SiblingTable
  readonly calls: SiblingCalls
  readonly likeness: string
  now(): number
  purges(): number
}

/** The search for one answer. */
export class Seeking {
  readonly #parts: SeekParts
  readonly #site: Site
  readonly #fill: CacheFill
  readonly #deadlineMs: number
  readonly #events: SeekEvents
  /** Places for which this worker has said that it is fetching the answer. */
  readonly #claimed: Place[] = []
  #call: SiblingCall | undefined
  #looks = 0
  #isOver = false

  constructor(parts: SeekParts, site: Site, fill: CacheFill, waitMs: number, events: SeekEvents) {
    this.#parts = parts
    this.#site = site
    this.#fill = fill
    this.#deadlineMs = parts.now() + waitMs
    this.#events = events
  }

  start(): void {
    this.#fill.flight!.isBorrowing = true
    this.#look()
  }

  /** Nobody wants it any more. */
  abort(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#call?.abort()
  }

  /** Where the answer is looked for: undefined where nobody may share it. */
  get #place(): Place | undefined {
    const { place } = this.#fill.flight!
    const { table, likeness } = this.#parts
    return place === undefined ? undefined : table.place(`${this.#site.name}\n${likeness}\n${place}`)
  }

  #look(): void {
    const place = this.#place
    const leftMs = this.#deadlineMs - this.#parts.now()
    this.#looks += 1
    if (place === undefined || leftMs <= 0 || this.#looks > LOOKS_MAX) return this.#goToOrigin(undefined)
    const seen = this.#parts.table.claim(place)
    if (seen === undefined) return this.#goToOrigin(place)
    this.#ask(place, seen, leftMs)
  }

  #ask(place: Place, seen: Seen, leftMs: number): void {
    const { calls, likeness, purges } = this.#parts
    const { key, head } = this.#fill
    const waitMs = seen.state === 'has' ? Math.min(leftMs, HAS_WAIT_MS) : leftMs
    const headers = askedHeaders(head.headers)
    const ask = { site: this.#site.name, likeness, key, headers, waitMs, purges: purges() }
    const call = calls.ask(seen.worker, ask, waitMs, {
      onHere: (here) => this.#onHere(here, place, seen),
      onData: (piece) => this.#onData(piece),
      onEnd: () => {
        this.#isOver = true
        this.#fill.finish(this.#parts.now())
      },
      onNone: (none) => this.#onNone(none, place, seen),
      onBroken: () => this.#onBroken(place, seen),
    })
    this.#call = call
  }

  #onHere({ copied, purges, isArriving }: Here, place: Place, seen: Seen): void {
    const { now } = this.#parts
    const nowMs = now()
    const fill = this.#fill
    // It has not heard of a purge that we have heard of, or of what a write here made out of date; or it was only just fresh.
    const isOld =
      purges < this.#parts.purges() ||
      copied.plan.freshUntilMs <= nowMs ||
      this.#site.cache!.hasPurged(purges, fill.key, tagsOf(copied.headers, fill.key))
    const isTaken = !isOld && fill.beginCopy(responseOf(copied), copied.plan, nowMs, purges).store
    if (!isTaken) {
      this.#call?.abort()
      if (isOld) this.#takeOver(place, seen)
      else this.#goToOrigin(undefined)
      return
    }
    fill.announce()
    fill.onRoom = () => this.#call?.resume()
    this.#events.onBorrowed(isArriving)
  }

  #onData(piece: Buffer): boolean {
    const fill = this.#fill
    const takesMore = fill.append(piece)
    // It is not kept here, and who read it has gone.
    if (!fill.isFilling && fill.followers === 0) {
      this.abort()
      fill.abandon()
    }
    return takesMore && !fill.waitsForDisk(() => this.#call?.resume())
  }

  #onNone({ failed, isUnshared, vary }: NotHere, place: Place, seen: Seen): void {
    if (this.#isOver) return
    const { now } = this.#parts
    if (failed !== undefined) {
      this.#isOver = true
      const error = new EdgeError(isErrorCode(failed.code) ? failed.code : 'origin-closed', failed.message)
      this.#fill.fail(error)
      return this.#events.onFailed(error)
    }
    if (isUnshared) {
      this.#fill.unshare(now())
      return this.#goToOrigin(undefined)
    }
    const before = this.#fill.flight!.place
    if (vary.length > 0) this.#fill.learnVary(vary, now())
    // Another variant: it may be elsewhere.
    if (this.#fill.flight!.place !== before) this.#look()
    else this.#takeOver(place, seen)
  }

  /** The worker is gone, or stands still. */
  #onBroken(place: Place, seen: Seen): void {
    if (this.#isOver) return
    if (this.#fill.isFilling || this.#fill.arrival !== undefined) {
      this.#isOver = true
      this.#fill.fail(new EdgeError('origin-closed', 'the worker that fetched the answer has ended'))
    } else this.#takeOver(place, seen)
  }

  #takeOver(place: Place, seen: Seen): void {
    if (this.#parts.table.takeOver(place, seen)) this.#goToOrigin(place)
    else this.#look()
  }

  /** `place`: where others see that this worker is at it. */
  #goToOrigin(place: Place | undefined): void {
    const fill = this.#fill
    this.#isOver = true
    fill.flight!.isBorrowing = false
    if (place !== undefined) {
      this.#claimed.push(place)
      fill.watcher = {
        onPlace: () => this.#claimAlso(),
        onOver: (isShared) => {
          for (const claimed of this.#claimed) this.#parts.table.settle(claimed, isShared)
        },
      }
    }
    this.#events.onNobody()
  }

  /** It turned out to be one of several variants: those who know that look for it elsewhere. */
  #claimAlso(): void {
    const place = this.#place
    if (place === undefined || this.#parts.table.claim(place) !== undefined) return
    this.#claimed.push(place)
  }
}

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERROR_CODES, code)
