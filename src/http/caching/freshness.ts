/**
 * How long a response may be used without asking again (RFC 9111 §4.2.1), and how old it already was when it came
 * (§4.2.3), as a cache sees it that many people share.
 */
import { headerValue, headerValues, type HeaderList } from '../../wire/http1/message.ts'
import { parseHttpDate } from './http-date.ts'
import { responseControl, type ResponseControl } from './targeted-control.ts'
import { parseDeltaSeconds, SECONDS_MAX } from './text.ts'

/** Where the lifetime came from; `none`: nobody said anything. */
export type LifetimeSource = 'unit' | 's-maxage' | 'max-age' | 'expires' | 'heuristic' | 'none'

export interface Lifetime {
  /** From 0 to 2³¹. */
  readonly seconds: number
  readonly source: LifetimeSource
}

/**
 * Statuses that may be kept although the origin gave no lifetime (RFC 9110 §15.1), errors left out: a 404 of a page
 * that is about to be published should not outlive it by guess. Any status may where the origin says `public` (§4.2.2).
 */
const HEURISTIC_STATUSES = new Set([200, 203, 204, 300, 301, 308])
/** A guess is this part of the time since the last change (§4.2.2), and a day at most. */
const HEURISTIC_PART = 0.1
const HEURISTIC_SECONDS_MAX = 86_400

export function freshnessLifetime(
  status: number,
  headers: HeaderList,
  control: ResponseControl,
  responseTimeMs: number,
): Lifetime {
  // §4.2.1: s-maxage speaks to shared caches, so it is asked first.
  if (control.sMaxAge !== undefined) return { seconds: control.sMaxAge, source: 's-maxage' }
  if (control.maxAge !== undefined) return { seconds: control.maxAge, source: 'max-age' }
  // RFC 9213 §2.2: beside a targeted field it is not looked at.
  const expires = control.isTargeted ? undefined : headerValues(headers, 'expires')
  const dateMs = responseDateMs(headers, responseTimeMs)
  if (expires !== undefined) {
    // §5.3: what is not a date, `0` above all, is in the past. So are two dates in one field.
    const expiresMs = parseHttpDate(expires, responseTimeMs) ?? 0
    return { seconds: clampSeconds((expiresMs - dateMs) / 1000), source: 'expires' }
  }
  const lastModified = headerValue(headers, 'last-modified')
  // §5.4: `Pragma` means nothing in a response; but who sends it hopes that it does, so nothing is guessed against it.
  const mayGuess =
    (HEURISTIC_STATUSES.has(status) || control.public) && headerValue(headers, 'pragma') === undefined
  if (lastModified !== undefined && mayGuess) {
    const modifiedMs = parseHttpDate(lastModified, responseTimeMs)
    if (modifiedMs !== undefined) {
      const guess = Math.floor(((dateMs - modifiedMs) / 1000) * HEURISTIC_PART)
      return { seconds: clampSeconds(Math.min(guess, HEURISTIC_SECONDS_MAX)), source: 'heuristic' }
    }
  }
  return { seconds: 0, source: 'none' }
}

/** What `response.ttl` says before a unit assigns it; undefined where the headers say nothing. */
export function statedTtlSeconds(status: number, headers: HeaderList, nowMs: number): number | undefined {
  const control = responseControl(headers)
  if (control.noStore || control.noCache || control.private) return 0
  const { seconds, source } = freshnessLifetime(status, headers, control, nowMs)
  return source === 'none' ? undefined : Math.floor(seconds)
}

/**
 * The age of a response at the moment it was received, in milliseconds: `corrected_initial_age` of §4.2.3.
 *
 * `Date` counts whole seconds, so the comparison with it does too: otherwise a response of `max-age=1` would be half
 * used up on arrival, on average.
 */
export function initialAgeMs(headers: HeaderList, requestTimeMs: number, responseTimeMs: number): number {
  const dateMs = responseDateMs(headers, responseTimeMs)
  const apparentAgeMs = Math.max(0, (Math.floor(responseTimeMs / 1000) - dateMs / 1000) * 1000)
  const responseDelayMs = Math.max(0, responseTimeMs - requestTimeMs)
  const correctedAgeMs = receivedAgeSeconds(headers) * 1000 + responseDelayMs
  return Math.min(Math.max(apparentAgeMs, correctedAgeMs), SECONDS_MAX * 1000)
}

/** §5.1: of several ages the first counts; one that is no number is as if it were absent. */
function receivedAgeSeconds(headers: HeaderList): number {
  const age = headerValue(headers, 'age')
  if (age === undefined) return 0
  const comma = age.indexOf(',')
  return parseDeltaSeconds((comma < 0 ? age : age.slice(0, comma)).trim()) ?? 0
}

/** RFC 9110 §6.6.1: a response without a (readable) `Date` is dated when it is received. */
function responseDateMs(headers: HeaderList, responseTimeMs: number): number {
  const date = headerValue(headers, 'date')
  const parsed = date === undefined ? undefined : parseHttpDate(date, responseTimeMs)
  return parsed ?? Math.floor(responseTimeMs / 1000) * 1000
}

function clampSeconds(seconds: number): number {
  return Math.min(Math.max(seconds, 0), SECONDS_MAX)
}
