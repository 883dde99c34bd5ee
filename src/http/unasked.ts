/** Answers to what was not asked. */
import { EdgeError } from '../base/errors.ts'
import type { OriginCall } from '../contract/origin.ts'
import { headerValue, type HeaderList } from '../wire/http1/message.ts'

/** A `304` to a request without a condition: it says that somebody has a body that nobody spoke of, so there is none to be given. */
export function unasked304(
  status: number,
  asked: HeaderList,
  { endpoint }: OriginCall,
): EdgeError | undefined {
  if (status !== 304) return undefined
  if (headerValue(asked, 'if-none-match') !== undefined) return undefined
  if (headerValue(asked, 'if-modified-since') !== undefined) return undefined
  return new EdgeError('origin-garbage', `${endpoint} answered 304 to a request without a condition`)
}
