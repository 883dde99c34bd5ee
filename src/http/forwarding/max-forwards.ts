/** `Max-Forwards` (RFC 9110 §7.6.2): how many hops an OPTIONS may still go. TRACE, the other method that has it, is not passed on. */
import { headerValues, type RequestHead } from '../../wire/http1/message.ts'

/** Undefined where it is absent, no number, or of a method to which it means nothing. */
export function maxForwards({
  method,
  headers,
}: Pick<RequestHead, 'method' | 'headers'>): number | undefined {
  if (method !== 'OPTIONS') return undefined
  const text = headerValues(headers, 'max-forwards')
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined
}
