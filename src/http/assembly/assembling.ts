/** What an answer that is put together of parts is asked with. */
import type { RequestHead } from '../../wire/http1/message.ts'
import type { StoredResponse } from '../caching/stored-response.ts'
import type { Exchange } from '../exchange.ts'
import type { PartSource } from './part-sources.ts'
import type { Representation } from './representation.ts'

/** The request that is answered. */
export interface Assembling {
  readonly exchange: Exchange
  readonly key: string
  /** As the client made it, but for what units changed. */
  readonly head: RequestHead
  /** The same as a plain GET for the whole: what parts are looked up and fetched by. */
  readonly plainHead: RequestHead
  /** When it stops to wait for what others fetch. */
  readonly deadlineMs: number
  /** It has waited for others before. */
  readonly collapsed: boolean | undefined
  /** Looks again, from the beginning. */
  again(hasWaited: boolean): void
  /** As if there were no parts: they cannot be had, or are of no use. */
  withoutParts(): void
  /** What is stored was still good: the answer is taken from there. */
  fromWhole(entry: StoredResponse, member: string): void
}

export interface AssemblyOptions {
  readonly source: PartSource
  /** Undefined: the first ask tells. */
  readonly representation?: Representation
  /** The answer is the part that is asked for first, and the origin has judged `If-Range`. */
  readonly isDirect?: boolean
  /** What is missing is asked for before the head leaves: it may turn out that there is another representation by now. */
  readonly isProbing?: boolean
}
