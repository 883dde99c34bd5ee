/** What a `304` from the origin changes in a stored response (RFC 9111 §3.2, §4.3.4). */
import { headerValue, type HeaderList } from '../../wire/http1/message.ts'
import { parseDeltaSeconds } from './text.ts'
import { withoutWeakness, type Validators } from './conditional.ts'

/**
 * Headers that stay as they are stored (§3.2): the length, and those that say how the bytes of the body are to be read, which did
 * not come again. Those of a connection are dropped when a response is made of the result.
 */
const NOT_UPDATED = new Set(['content-encoding', 'content-length', 'content-range', 'transfer-encoding'])

/**
 * Whether the `304` speaks of this response (§4.3.4). We asked with its validators, so one that names none means it; one that
 * names others means that the origin and we have lost each other, and that the body has to come again.
 */
export function speaksOf(stored: Validators, headers: HeaderList): boolean {
  const etag = headerValue(headers, 'etag')
  // A strong one selects by itself; a weak one by what both have in common.
  if (etag !== undefined) return etag.startsWith('W/') ? isSameTag(etag, stored.etag) : etag === stored.etag
  const lastModified = headerValue(headers, 'last-modified')
  return lastModified === undefined || lastModified === stored.lastModified
}

/**
 * Whether a `200` to a HEAD speaks of this stored response to a GET (§4.3.5): every validator that it has is the same, and the
 * length, where it says one.
 */
export function describes(
  stored: Validators & { readonly body: { readonly length: number } },
  headers: HeaderList,
): boolean {
  const etag = headerValue(headers, 'etag')
  if (etag !== undefined && etag !== stored.etag) return false
  const lastModified = headerValue(headers, 'last-modified')
  if (lastModified !== undefined && lastModified !== stored.lastModified) return false
  const length = headerValue(headers, 'content-length')
  return length === undefined || parseDeltaSeconds(length) === stored.body.length
}

function isSameTag(etag: string, stored: string | undefined): boolean {
  return stored !== undefined && withoutWeakness(etag) === withoutWeakness(stored)
}

/** The stored headers, with those of the `304` in place of their namesakes. */
export function updatedHeaders(stored: HeaderList, update: HeaderList): HeaderList {
  const renewed = new Set<string>()
  for (let i = 0; i < update.length; i += 2) if (!NOT_UPDATED.has(update[i]!)) renewed.add(update[i]!)
  // A cookie for one person does not come into what is for all; where the site stores them, it is for all.
  if (headerValue(stored, 'set-cookie') === undefined) renewed.delete('set-cookie')
  // A 304 without a date is dated when it comes, not when the body did.
  renewed.add('date')
  const merged: string[] = []
  for (let i = 0; i < stored.length; i += 2) {
    if (!renewed.has(stored[i]!)) merged.push(stored[i]!, stored[i + 1]!)
  }
  for (let i = 0; i < update.length; i += 2) {
    if (renewed.has(update[i]!)) merged.push(update[i]!, update[i + 1]!)
  }
  return merged
}

/** Where the headers of a HEAD come from. */
export interface HeadOrigin {
  readonly askedMs: number
  readonly nowMs: number
  /** False where they are not all there is to know. */
  readonly update: boolean
  /** The last purge when it was asked. */
  readonly purgeNumber: number
}
