/**
 * The purges of one cache: each holds from the moment it is told, and what it means is taken away piece by piece, so that a hundred thousand objects
 * do not stand between requests.
 *
 *     told       looked at from now on: nothing that was kept before it, and that it means, is found any more
 *     swept      what it means is gone, or stale; then it is counted, and looked at no more
 *     recent     known as long as an answer is on its way that was asked for before it
 *
 * Whatever is kept bears the number of the last purge it was checked against; a purge with a larger one is compared with it.
 */
import type { StoredResponse } from '../stored-response.ts'
import type { CacheFill } from '../fill.ts'
import type { Flight } from '../flights.ts'
import { CompiledPurge, type PurgeTerms } from './compiled-purge.ts'
import type { OpenFills } from './open-fills.ts'
import { tagsOf } from './response-tags.ts'
import type { TagIndex } from './tag-index.ts'

/** What purges touch of a shelf. */
export interface PurgedShelf {
  readonly tags: TagIndex
  relativesOf(key: string): readonly string[]
  /** All responses, in the order in which they came; those that come meanwhile last. */
  responses(): Iterable<StoredResponse>
  responsesAt(key: string): readonly StoredResponse[]
  remove(key: string, response: StoredResponse): void
  readonly counters: { readonly entries: number }
}

export interface CachePurgesOptions {
  readonly shelf: PurgedShelf
  readonly fills: OpenFills
  /** Nobody who comes from now on may join it. */
  readonly seal: (flight: Flight) => void
  /** The tier behind memory, told before anybody looks again. `isLocal`: the disk itself hears of it later. */
  readonly second?: { purged(purge: CompiledPurge, isLocal: boolean): void } | undefined
  /** The number of the last purge that this process has applied; where it is absent, the cache counts on its own. */
  readonly node?: { readonly number: number } | undefined
  /** Does the rest later, with other work in between. Absent: all is done at once. */
  readonly later?: ((work: () => void) => void) | undefined
  /** Milliseconds of whatever beginning, by which a piece of the work is measured. */
  readonly elapsedMs?: (() => number) | undefined
}

export type OnPurged = (objects: number) => void

/** How long one piece of a sweep may take, about. */
const SLICE_MS = 3
/** Objects between two looks at the clock. */
const OBJECTS_A_LOOK = 64
/** Purges that are remembered for answers on their way; whoever started before that is not kept, whatever it is. */
const RECENT_MAX = 4096

/** So many purges of this cache alone fit between two of the node, whose numbers are milliseconds: with more, these go ahead of those for a while. */
const A_MOMENT = 2 ** -10

interface Job {
  readonly purge: CompiledPurge
  readonly nowMs: number
  readonly onDone: OnPurged
  objects: number
}

export class CachePurges {
  readonly #options: CachePurgesOptions
  /** Not swept yet, in their order. */
  readonly #jobs: Job[] = []
  #recent: CompiledPurge[] = []
  /** An answer that was checked up to less than this cannot be compared any more. */
  #floor = 0
  #isSweeping = false
  #number = 0

  constructor(options: CachePurgesOptions) {
    this.#options = options
  }

  /** The last purge that was applied here. */
  get number(): number {
    return Math.max(this.#options.node?.number ?? 0, this.#number)
  }

  /** From here on it holds. Without a number it is of this cache alone, and lies between two of the node. */
  purge(terms: PurgeTerms, given: number | undefined, nowMs: number, onDone: OnPurged): void {
    const { fills, seal, second } = this.#options
    const last = given === undefined ? this.number : this.#number
    const number = given !== undefined && given > last ? given : last + A_MOMENT
    const purge = new CompiledPurge(terms, number)
    this.#number = number
    second?.purged(purge, given === undefined)
    const awaited = fills.all()
    if (awaited.length > 0) this.#remember(purge)
    else this.#forget()
    this.#jobs.push({ purge, nowMs, onDone, objects: 0 })
    if (!this.#isSweeping) {
      this.#isSweeping = true
      this.#sweep(this.#work())
    }
    for (const fill of awaited) {
      const isMeant = isMeantBy(purge, fill)
      if (isMeant === 'yes') fill.invalidate()
      // What comes is judged when its tags are known. Whoever asks from now on must not be given it.
      else if (isMeant === 'unknown' && fill.flight !== undefined) seal(fill.flight)
    }
  }

  /** An answer that was on its way is not any more. */
  settled(): void {
    if (this.#options.fills.isEmpty) this.#forget()
  }

  /** Something that is found may have been purged: ask `survives`. */
  get isPending(): boolean {
    return this.#jobs.length > 0
  }

  /** Whether a purge after this number means it: then it is from before, and not to be kept. */
  hasPurged(since: number, key: string, tags: readonly string[]): boolean {
    if (since < this.#floor) return true
    for (let i = this.#recent.length - 1; i >= 0; i--) {
      const purge = this.#recent[i]!
      if (purge.number <= since) return false
      if (purge.matches({ key, tags })) return true
    }
    return false
  }

  /** A response that was found while sweeps are pending: false where it is gone by one of them. One that is purged softly is stale from here on. */
  survives(key: string, response: StoredResponse): boolean {
    const kept = { key, tags: response.tags }
    for (const job of this.#jobs) {
      if (response.purgeNumber >= job.purge.number || !job.purge.matches(kept)) continue
      if (!this.#apply(job, key, response)) return false
    }
    return true
  }

  /** Nothing is on its way that was asked for before a purge. */
  #forget(): void {
    this.#recent = []
    this.#floor = this.number
  }

  #remember(purge: CompiledPurge): void {
    this.#recent.push(purge)
    if (this.#recent.length <= RECENT_MAX) return
    // Half of them at once: one by one would move all of them each time.
    const gone = this.#recent.splice(0, RECENT_MAX / 2)
    this.#floor = gone.at(-1)!.number
  }

  #sweep(work: Generator<void, void>): void {
    const { later, elapsedMs = () => performance.now() } = this.#options
    const end = elapsedMs() + SLICE_MS
    for (;;) {
      if (work.next().done === true) {
        this.#isSweeping = false
        return
      }
      if (later !== undefined && elapsedMs() > end) return later(() => this.#sweep(work))
    }
  }

  /** Purges in their order; those that have to look at everything look together. Each step is a few objects. */
  *#work(): Generator<void, void> {
    for (let [job] = this.#jobs; job !== undefined; [job] = this.#jobs) {
      const together = job.purge.isBroad ? this.#jobs.filter(({ purge }) => purge.isBroad) : [job]
      if (job.purge.isBroad) yield* this.#overAll(together)
      else yield* this.#byIndex(job)
      const done = new Set(together)
      const left = this.#jobs.filter((one) => !done.has(one))
      this.#jobs.splice(0, this.#jobs.length, ...left)
      for (const { onDone, objects } of together) onDone(objects)
    }
  }

  *#byIndex(job: Job): Generator<void, void> {
    const { shelf } = this.#options
    const { purge } = job
    let looked = 0
    for (const address of purge.addresses) {
      for (const key of [address, ...shelf.relativesOf(address)]) {
        for (const response of shelf.responsesAt(key)) this.#applyIfMeant(job, response)
      }
      if (++looked % OBJECTS_A_LOOK === 0) yield
    }
    for (const tag of purge.tags) {
      // What goes leaves the set while it is walked, and what comes meanwhile is looked at in vain.
      for (const response of shelf.tags.tagged(tag)) {
        this.#applyIfMeant(job, response)
        if (++looked % OBJECTS_A_LOOK === 0) yield
      }
    }
    yield
  }

  *#overAll(jobs: readonly Job[]): Generator<void, void> {
    const { shelf } = this.#options
    let looked = 0
    // What has come since stands behind all that was here.
    const last = shelf.counters.entries
    for (const response of shelf.responses()) {
      for (const job of jobs) if (!this.#applyIfMeant(job, response)) break
      looked += 1
      if (looked > last) break
      if (looked % OBJECTS_A_LOOK === 0) yield
    }
    yield
  }

  /** False: it is gone. */
  #applyIfMeant(job: Job, response: StoredResponse): boolean {
    if (response.purgeNumber >= job.purge.number) return true
    const { key } = response
    if (!job.purge.matches({ key, tags: response.tags })) return true
    return this.#apply(job, key, response)
  }

  #apply(job: Job, key: string, response: StoredResponse): boolean {
    if (!job.purge.isSoft) {
      job.objects += 1
      this.#options.shelf.remove(key, response)
      return false
    }
    if (response.expire(job.nowMs)) job.objects += 1
    return true
  }
}

function isMeantBy(purge: CompiledPurge, { key, responseHeaders }: CacheFill): 'yes' | 'no' | 'unknown' {
  if (purge.matchesKey(key)) return 'yes'
  if (purge.tags.size === 0) return 'no'
  if (responseHeaders === undefined) return 'unknown'
  return purge.matches({ key, tags: tagsOf(responseHeaders, key) }) ? 'yes' : 'no'
}
