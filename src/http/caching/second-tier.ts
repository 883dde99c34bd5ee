/**
 * The tier on disk as responses see it: behind memory, shared by all workers, and there after a restart.
 *
 * An address whose responses do not vary takes one place there: its key. Otherwise its key holds the names of the headers by which they
 * vary, and each response stands under the key and what those headers said. What was given to the tier and cannot be found in it yet is
 * found here.
 */
import type { DiskTier } from '../../contract/disk-tier.ts'
import type { HeaderList } from '../../wire/http1/message.ts'
import type { DiskRoom } from './body-gathering.ts'
import { decodeRecord, encodeResponse, encodeVaries, responseOf } from './disk-record.ts'
import { EMPTY_BODY, StoredBody } from './stored-body.ts'
import type { CompiledPurge } from './purging/compiled-purge.ts'
import type { StoredResponse } from './stored-response.ts'
import { variantKey } from './vary.ts'
import type { VaryRules } from './vary-rules.ts'

/** Sets of names by which responses of one address vary; older ones are forgotten, and what varies by them with them. */
const SETS_MAX = 4

type Sets = readonly (readonly string[])[]

/** When a response began to be fetched: what was purged or removed since does not come in. */
export interface Begun {
  readonly atMs: number
  readonly purgeNumber: number
}

export class SecondTier {
  readonly #tier: DiskTier
  readonly #rules: VaryRules
  /** By the key there: what is not found there yet. */
  readonly #responses = new Map<string, StoredResponse>()
  readonly #sets = new Map<string, Sets>()
  /** Tags of what is out of date on the disk, which has not heard of it yet. */
  readonly #withheld = new Set<string>()

  constructor(tier: DiskTier, rules: VaryRules) {
    this.#tier = tier
    this.#rules = rules
  }

  /**
   * The response for a request with these headers, fresh or not, whose body is the caller's to release; `varies`: there are only others
   * of this address.
   */
  find(key: string, headers: HeaderList, nowMs: number): StoredResponse | 'varies' | undefined {
    const found = this.#look(key, nowMs)
    if (found === undefined || !('sets' in found)) return found
    let stale: StoredResponse | undefined
    for (const names of found.sets) {
      const response = this.#look(this.#variantOf(key, names, headers), nowMs)
      if (response === undefined || 'sets' in response) continue
      if (response.isFresh(nowMs)) {
        stale?.body.release()
        return response
      }
      if (stale === undefined) stale = response
      else response.body.release()
    }
    return stale ?? 'varies'
  }

  #look(key: string, nowMs: number): StoredResponse | { readonly sets: Sets } | undefined {
    const sets = this.#sets.get(key)
    if (sets !== undefined) return { sets }
    const waiting = this.#responses.get(key)
    if (waiting !== undefined) {
      waiting.body.hold()
      return waiting
    }
    const object = this.#tier.find(key)
    if (object === undefined) return undefined
    const decoded = decodeRecord(object.meta)
    if (decoded === undefined) {
      this.#tier.drop(key)
      return undefined
    }
    if (decoded.kind === 'varies') return decoded
    if (this.#withheld.size > 0 && decoded.record.tags.some((tag) => this.#withheld.has(tag)))
      return undefined
    const bytes = object.open()
    if (bytes === undefined) return undefined
    const body = new StoredBody(bytes)
    body.diskFile = object.file
    return responseOf(decoded.record, body, this.#rules, object.isSoft ? nowMs : Infinity)
  }

  /** Where a response of this key may go that is too large for memory; undefined: it is not to be kept here at all. Counts. */
  room(key: string): DiskRoom | undefined {
    if (!this.#tier.admits(key)) return undefined
    return this.copyRoom
  }

  /** The same for what another worker keeps here: it counts nothing, and is not stored. */
  get copyRoom(): DiskRoom {
    return { objectBytesMax: this.#tier.objectBytesMax, open: (bytes) => this.#tier.openBody(bytes) }
  }

  /** Keeps a response that was fetched for a request with these headers. False: it is too large. */
  keep(key: string, headers: HeaderList, response: StoredResponse, begun: Begun): boolean {
    if (response.body.length > this.#tier.objectBytesMax) return false
    const names = response.selecting.map(({ name }) => name)
    const sets = this.#setsOf(key)
    if (names.length === 0 && sets === undefined) {
      this.#put(key, response, begun)
      return true
    }
    this.#putSets(key, sets ?? [], names, response, begun)
    this.#put(this.#variantOf(key, names, headers), response, begun)
    return true
  }

  /** Takes away all that stands under the key. */
  remove(key: string): void {
    this.#tier.remove(key)
    for (const of of this.#responses.keys()) if (isOf(key, of)) this.#responses.delete(of)
    for (const of of this.#sets.keys()) if (isOf(key, of)) this.#sets.delete(of)
  }

  /**
   * What a purge means is not found here any more, also while it is on its way; what becomes of it on the disk, the disk says. `isLocal`: the
   * disk will hear of the tags later, with a purge of the node, and until then what bears them there is left where it is.
   */
  purged(purge: CompiledPurge, isLocal: boolean): void {
    for (const tag of purge.tags) {
      if (isLocal) this.#withheld.add(tag)
      else this.#withheld.delete(tag)
    }
    for (const [key, { tags }] of this.#responses)
      if (purge.matches({ key, tags })) this.#responses.delete(key)
  }

  /** A key that no address has: it holds a line break. */
  #variantOf(key: string, names: readonly string[], headers: HeaderList): string {
    return `${key}\n~${names.join()}${variantKey(names, headers, this.#rules)}`
  }

  /** A response that was kept for a request with these headers is not to be used any more. */
  drop(key: string, headers: HeaderList, { selecting }: StoredResponse): void {
    const names = selecting.map(({ name }) => name)
    const keys = names.length > 0 ? [] : [key]
    for (const of of [...keys, this.#variantOf(key, names, headers)]) {
      this.#responses.delete(of)
      this.#tier.drop(of)
    }
  }

  #setsOf(key: string): Sets | undefined {
    const waiting = this.#sets.get(key)
    if (waiting !== undefined) return waiting
    const object = this.#tier.find(key)
    const decoded = object && decodeRecord(object.meta)
    return decoded?.kind === 'varies' ? decoded.sets : undefined
  }

  /** The newest first, and the one without names last: `Vary` was most likely forgotten there (RFC 9111 §4.1). */
  #putSets(key: string, sets: Sets, names: readonly string[], { tags }: StoredResponse, begun: Begun): void {
    const isSame = (other: readonly string[]) => other.join() === names.join()
    if (sets.some(isSame) && (names.length === 0 || isSame(sets[0]!))) return
    const others = sets.filter((other) => !isSame(other))
    const plain = names.length === 0 || others.some((other) => other.length === 0) ? [[]] : []
    const varied = [...(names.length === 0 ? [] : [names]), ...others.filter((other) => other.length > 0)]
    const next = [...varied.slice(0, SETS_MAX), ...plain]
    this.#sets.set(key, next)
    this.#tier.put(
      {
        key,
        meta: encodeVaries(next),
        body: { kind: 'bytes', from: EMPTY_BODY },
        tags,
        purgeNumber: begun.purgeNumber,
        begunMs: begun.atMs,
      },
      () => {
        if (this.#sets.get(key) === next) this.#sets.delete(key)
      },
    )
  }

  #put(key: string, response: StoredResponse, begun: Begun, isRenewal = true): void {
    const { body } = response
    const { diskFile, write } = body
    const isStored = isRenewal && diskFile !== undefined
    this.#responses.set(key, response)
    body.hold()
    this.#tier.put(
      {
        key,
        meta: encodeResponse(response),
        body: isStored
          ? { kind: 'stored', file: diskFile }
          : write !== undefined
            ? { kind: 'written', write }
            : { kind: 'bytes', from: body },
        tags: response.tags,
        purgeNumber: begun.purgeNumber,
        begunMs: begun.atMs,
      },
      (stored) => {
        if (stored !== undefined && stored !== 'inline') body.diskFile = stored
        const isNewest = this.#responses.get(key) === response
        if (isNewest) this.#responses.delete(key)
        // Its file has made room for others meanwhile; what is in memory can be written again.
        if (stored === undefined && isStored && isNewest && !body.isOnDisk)
          this.#put(key, response, begun, false)
        body.release()
      },
    )
  }
}

function isOf(key: string, of: string): boolean {
  return of === key || of.startsWith(`${key}\n`) || of.startsWith(`${key} `)
}
