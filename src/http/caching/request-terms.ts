/**
 * What a request says that matters to the cache, found in one pass over its headers.
 *
 * Nearly all requests say nothing of the kind, and they are the ones that have to be fast: so the pass compares the
 * length of each name first, takes no string apart, and the answer is then one shared object.
 */
import { headerValues, type HeaderList, type RequestHead } from '../../wire/http1/message.ts'
import { parseCacheControl, type CacheControl } from './cache-control.ts'

export type Unkeyed =
  | 'precondition' // If-Match, If-Unmodified-Since: for the origin to judge (RFC 9110 §13.1.1)
  | 'body' // a GET with content: whatever it means, it is not in the key

export interface RequestTerms {
  /**
   * What the answer depends on and the key does not hold: such a request goes to the origin as it is, and its answer
   * is not kept.
   */
  readonly unkeyed: Unkeyed | undefined
  /** A GET that asks for parts. For other methods there is no such thing (RFC 9110 §14.2). */
  readonly hasRange: boolean
  readonly hasAuthorization: boolean
  /** `If-None-Match` or `If-Modified-Since`, which a stored response can answer. */
  readonly isConditional: boolean
  readonly control: CacheControl
}

const CACHE_CONTROL = 1
const PRAGMA = 2
const AUTHORIZATION = 4
const RANGE = 8
const PRECONDITION = 16
const CONDITIONAL = 32

const NO_CONTROL = parseCacheControl(undefined)
const NO_CACHE: CacheControl = { ...NO_CONTROL, noCache: true }
/** Of a request that says nothing to the cache: compare with it to know. */
export const PLAIN_TERMS: RequestTerms = {
  unkeyed: undefined,
  hasRange: false,
  hasAuthorization: false,
  isConditional: false,
  control: NO_CONTROL,
}

export function readTerms(head: RequestHead): RequestTerms {
  const found = scan(head.headers)
  const hasBody =
    head.framing.kind !== 'none' && !(head.framing.kind === 'length' && head.framing.bytes === 0)
  if (found === 0 && !hasBody) return PLAIN_TERMS
  return {
    unkeyed: unkeyedBy(found, hasBody),
    hasRange: (found & RANGE) !== 0 && head.method === 'GET',
    hasAuthorization: (found & AUTHORIZATION) !== 0,
    isConditional: (found & CONDITIONAL) !== 0,
    control: readControl(head.headers, found),
  }
}

function scan(headers: HeaderList): number {
  let found = 0
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    switch (name.length) {
      case 5:
        if (name === 'range') found |= RANGE
        break
      case 6:
        if (name === 'pragma') found |= PRAGMA
        break
      case 8:
        if (name === 'if-match') found |= PRECONDITION
        break
      case 13:
        if (name === 'cache-control') found |= CACHE_CONTROL
        else if (name === 'authorization') found |= AUTHORIZATION
        else if (name === 'if-none-match') found |= CONDITIONAL
        break
      case 17:
        if (name === 'if-modified-since') found |= CONDITIONAL
        break
      case 19:
        if (name === 'if-unmodified-since') found |= PRECONDITION
        break
    }
  }
  return found
}

function unkeyedBy(found: number, hasBody: boolean): Unkeyed | undefined {
  if (hasBody) return 'body'
  return (found & PRECONDITION) !== 0 ? 'precondition' : undefined
}

/** RFC 9111 §5.4: `Pragma: no-cache` speaks where there is no `Cache-Control`. In requests no field can be named: who does means all. */
function readControl(headers: HeaderList, found: number): CacheControl {
  if ((found & CACHE_CONTROL) !== 0) {
    const control = parseCacheControl(headerValues(headers, 'cache-control'))
    return control.withheld.length === 0 ? control : { ...control, noCache: true }
  }
  if ((found & PRAGMA) === 0) return NO_CONTROL
  const { noCache, withheld } = parseCacheControl(headerValues(headers, 'pragma'))
  return noCache || withheld.length > 0 ? NO_CACHE : NO_CONTROL
}
