/**
 * Keeps head and body of one mind where units changed the status or the method.
 *
 * A `headerFilter` may turn 200 into 204, or 304 into 200, and `rewrite` may turn GET into HEAD. A client finds the end of the answer
 * by the status it reads (RFC 9112 §6.3): with a body where it expects none, it would take that body for the next answer; with no
 * length where it expects one, it would wait for ever.
 */

/** RFC 9110 §6.4.1: whatever the headers say, answers with these statuses end with their head. */
export const hasNoBody = (status: number): boolean => status === 204 || status === 304

/** An answer with a body, or without one, is what a client expects that reads this status (and asked by HEAD). */
export const fitsBody = (hasBody: boolean, status: number, isHead: boolean): boolean =>
  status !== 204 && (isHead || hasBody !== hasNoBody(status))

/** The header lines, saying that this many bytes follow; without a length where the status allows no body. */
export function withLength(fields: string, status: number, bytes: number): string {
  const rest = fields.replace(/^content-length: .*\r\n/m, '')
  return hasNoBody(status) ? rest : `${rest}content-length: ${bytes}\r\n`
}

/** What the header lines say of the length. Undefined where they do not, or say nothing that means one. */
export function lengthIn(fields: string): number | undefined {
  const found = [...fields.matchAll(/^content-length: (.*)\r$/gim)]
  return found.length === 1 && /^\d{1,15}$/.test(found[0]![1]!) ? Number(found[0]![1]) : undefined
}

/** The header lines where the client reads no body from them, and the answer has one, or the other way round; undefined where they fit. */
export const fittedFields = (
  fields: string,
  hasBody: boolean,
  status: number,
  isHead: boolean,
): string | undefined => (fitsBody(hasBody, status, isHead) ? undefined : withLength(fields, status, 0))
