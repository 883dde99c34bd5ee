/** What a `304` from the origin changes in a stored response (RFC 9111 §3.2, §4.3.4). */
import { headerValue, type HeaderList } from '../../wire/http1/message.ts'
import { withoutWeakness, type Validators } from './conditional.ts'

/**
 * Headers that stay as they are stored: they describe the body, which did not come again, or one person. Those of a
 * connection are dropped when a response is made of the result.
 */
const NOT_UPDATED = new Set([
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'set-cookie',
  'transfer-encoding',
])

/**
 * Whether the `304` speaks of this response. We asked with its validators, so one that names none means it; one that
 * names others means that the origin and we have lost each other, and that the body has to come again.
 */
export function speaksOf(stored: Validators, headers: HeaderList): boolean {
  const etag = headerValue(headers, 'etag')
  if (etag !== undefined) {
    return stored.etag !== undefined && withoutWeakness(etag) === withoutWeakness(stored.etag)
  }
  const lastModified = headerValue(headers, 'last-modified')
  if (lastModified === undefined || stored.etag !== undefined) return true
  return lastModified === stored.lastModified
}

/** The stored headers, with those of the `304` in place of their namesakes. */
export function updatedHeaders(stored: HeaderList, update: HeaderList): HeaderList {
  const renewed = new Set<string>()
  for (let i = 0; i < update.length; i += 2) if (!NOT_UPDATED.has(update[i]!)) renewed.add(update[i]!)
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
