/** What of a response's headers goes on to clients, as it comes from the origin. */
import { headerValue, headerValues, type HeaderList } from '../../wire/http1/message.ts'
import { boundedStatus } from './cache-status.ts'
import { OWN_FIELD } from './targeted-control.ts'

/**
 * Without what is for this cache alone (RFC 9213 §2: a cache may take out a field that targets it), and without a `Cache-Status`
 * that ours would be lost behind. `CDN-Cache-Control` is for every cache on the way, and there may be one before us.
 */
export function passedHeaders(headers: HeaderList): HeaderList {
  const status = headerValues(headers, 'cache-status')
  const dropsStatus = status !== undefined && boundedStatus(status) === undefined
  if (!dropsStatus && headerValue(headers, OWN_FIELD) === undefined) return headers
  const passed: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (name === OWN_FIELD || (dropsStatus && name === 'cache-status')) continue
    passed.push(name, headers[i + 1]!)
  }
  return passed
}
