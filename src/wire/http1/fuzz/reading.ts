/** A stream of messages as a parser read it, in a form that two parsers can be compared by. */
export interface Reading {
  readonly messages: Message[]
  /** It reads no further: something is wrong, or what follows is not HTTP. */
  stopped: string | undefined
}

export interface Message {
  /** `METHOD TARGET` or the status. */
  readonly start: string
  readonly minor: number
  readonly headers: readonly string[]
  readonly keepAlive: boolean
  /** Latin-1. */
  body: string
  trailers: readonly string[]
  isComplete: boolean
}

export const newReading = (): Reading => ({ messages: [], stopped: undefined })

/**
 * What our reading may not be: something that the other parser reads differently. We may stop earlier, being stricter; what we took
 * in before must be the same. Undefined where all is well, else the difference in words.
 */
export function disagreement(ours: Reading, theirs: Reading): string | undefined {
  for (const [index, mine] of ours.messages.entries()) {
    const other = theirs.messages[index]
    // We do not upgrade, and read on as HTTP/1.1; llhttp hands over what follows. Nothing to compare.
    if (theirs.stopped === 'upgrade' && index >= theirs.messages.length - 1) return undefined
    if (other === undefined)
      return `message ${index} (${mine.start}) is none to llhttp: ${theirs.stopped ?? 'no more'}`
    if (!sameStart(mine.start, other.start)) return `message ${index}: ${mine.start} is ${other.start}`
    if (mine.minor !== other.minor) return `message ${index}: version`
    if (!sameHeaders(mine, other))
      return `message ${index}: headers ${JSON.stringify([mine.headers, other.headers])}`
    if (mine.keepAlive && !other.keepAlive) return `message ${index}: kept alive against its will`
    if (mine.isComplete !== other.isComplete) {
      // Stopped by a problem in the body, we have less of it.
      if (mine.isComplete || ours.stopped === undefined)
        return `message ${index}: complete ${mine.isComplete}, ${theirs.stopped}`
    }
    const sameBody = mine.isComplete ? mine.body === other.body : other.body.startsWith(mine.body)
    if (!sameBody) return `message ${index}: body ${JSON.stringify([mine.body, other.body])}`
    if (!isSubset(mine.trailers, other.trailers))
      return `message ${index}: trailers ${JSON.stringify([mine.trailers, other.trailers])}`
  }
  if (ours.stopped === undefined && theirs.messages.length > ours.messages.length)
    return 'llhttp reads more messages'
  return undefined
}

/** We bring absolute targets to a path; llhttp leaves them. */
function sameStart(mine: string, other: string): boolean {
  if (mine === other) return true
  const absolute = /^(\S+) https?:\/\/[^/?]*(.*)$/i.exec(other)
  if (absolute === null) return false
  const [, method, rest = ''] = absolute
  const path = rest === '' && method === 'OPTIONS' ? '*' : rest.startsWith('/') ? rest : `/${rest}`
  return mine === `${method} ${path}`
}

/** All the same, but for `Host`, which an absolute target replaces, and the framing fields that we take out of a 1xx or 204. */
function sameHeaders(mine: Message, other: Message): boolean {
  const left = mine.start !== other.start ? ['host'] : /^(?:1..|204)$/.test(mine.start) ? FRAMING : []
  const without = (headers: readonly string[]) =>
    headers.filter((_, at) => !left.includes(headers[at - (at % 2)]!))
  return without(mine.headers).join('\n') === without(other.headers).join('\n')
}

const FRAMING = ['content-length', 'transfer-encoding']

function isSubset(mine: readonly string[], other: readonly string[]): boolean {
  const pairs = (headers: readonly string[]) =>
    headers.flatMap((text, at) => (at % 2 === 0 ? [`${text}: ${headers[at + 1]}`] : []))
  const theirs = new Set(pairs(other))
  return pairs(mine).every((pair) => theirs.has(pair))
}
