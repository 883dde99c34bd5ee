/**
 * `fetch` for the units of a worker: within a budget for each invocation, never into private networks, and not in circles.
 *
 * Redirects are followed here, hop by hop, each checked as the first one was. The body of a request is whole; that of an answer goes on after its
 * head, at the pace of whoever reads it.
 */
import type { Clock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import {
  refusalOf,
  type CallAccount,
  type HostAnswer,
  type HostCall,
  type HostError,
} from '../../contract/host-calls.ts'
import { serialiseHeaders } from '../../wire/http1/serialise.ts'
import { headerValue, withoutFields } from '../../wire/http1/message.ts'
import { Destinations, Unreachable, type FetchConfig } from './destinations.ts'
import { AnswerBody } from './answer-body.ts'
import { ACCEPT_ENCODING } from './decoding.ts'
import { receive, type Received, type Receiving } from './receive.ts'
import { BadFetch, fetchUrl, loopHeader, parseFetch, type FetchRequest } from './request.ts'

const REDIRECTS_MAX = 20
/** Fetches of one unit under way on a worker, until their answers have come whole; each may hold its body and a piece of its answer. */
const UNDER_WAY_MAX = 1024

/** A budget is used up. */
class Spent extends Error {}

/** What a fetch under way holds. */
interface Flight {
  isAborted: boolean
  receiving: Receiving | undefined
}

/** What all hops of a fetch have in common. */
interface Going {
  readonly account: CallAccount
  /** Method and URL that were asked for. */
  readonly target: string
  readonly flight: Flight
  readonly destinations: Destinations
}

export class FetchCalls {
  readonly #clock: Clock
  /** A fetch goes on with those, and what they allow, that it began with. */
  #destinations: Destinations
  readonly #underWay = new Map<string, number>()

  constructor(config: FetchConfig, clock: Clock) {
    this.#clock = clock
    this.#destinations = new Destinations(config, clock)
  }

  /** Holds for fetches that begin from now on. */
  use(config: FetchConfig): void {
    const before = this.#destinations
    if (JSON.stringify(config) === JSON.stringify(before.config)) return
    this.#destinations = new Destinations(config, this.#clock)
    before.close()
  }

  start(call: HostCall, answer: (answer: HostAnswer) => void): () => void {
    const flight: Flight = { isAborted: false, receiving: undefined }
    const { name } = call.unit
    this.#underWay.set(name, (this.#underWay.get(name) ?? 0) + 1)
    const leave = (): void => {
      const left = this.#underWay.get(name)! - 1
      if (left > 0) this.#underWay.set(name, left)
      else this.#underWay.delete(name)
    }
    void this.#run(call, flight, leave).then((given) => {
      if (flight.isAborted) given.rest?.cancel()
      else answer(given)
    })
    return () => {
      flight.isAborted = true
      flight.receiving?.abort()
    }
  }

  /** `leave` is called when it is not under way any more. */
  async #run(call: HostCall, flight: Flight, leave: () => void): Promise<HostAnswer> {
    let target = ''
    try {
      const request = parseFetch(call)
      target = `${request.method} ${request.url.href}`
      if (this.#underWay.get(call.unit.name)! > UNDER_WAY_MAX) {
        throw new Spent(`more than ${UNDER_WAY_MAX} fetches of this unit are under way`)
      }
      const going: Going = { account: call.account, target, flight, destinations: this.#destinations }
      const { answer, url, redirected } = await this.#follow(request, going)
      const head = `${answer.status} ${redirected ? 1 : 0} ${answer.reason}\n${url.href.slice(0, -url.hash.length || undefined)}\n${serialiseHeaders(answer.headers)}`
      const given = { ok: true, head, body: '', result: String(answer.status), target }
      if (answer.body instanceof AnswerBody) {
        answer.body.whenLeft(leave)
        return { ...given, rest: answer.body }
      }
      count(answer.body.length, going)
      leave()
      return { ...given, body: answer.body.toString('latin1') }
    } catch (error) {
      leave()
      return refusalOf(errorOf(error, target), target)
    }
  }

  async #follow(
    first: FetchRequest,
    going: Going,
  ): Promise<{ readonly answer: Received; readonly url: URL; readonly redirected: boolean }> {
    let request = first
    for (let redirects = 0; ; redirects++) {
      spend(request, going)
      const answer = await this.#once(request, going)
      const location = isRedirect(answer.status) ? headerValue(answer.headers, 'location') : undefined
      if (location === undefined || request.redirect === 'manual') {
        return { answer, url: request.url, redirected: redirects > 0 }
      }
      if (answer.body instanceof AnswerBody) answer.body.cancel()
      if (request.redirect === 'error') throw new BadFetch(`it was redirected to ${location}`)
      if (redirects >= REDIRECTS_MAX) throw new BadFetch(`it was redirected more than ${REDIRECTS_MAX} times`)
      request = redirected(request, answer.status, fetchUrl(location, request.url))
    }
  }

  async #once(request: FetchRequest, going: Going): Promise<Received> {
    const { account, target, flight, destinations } = going
    const addresses = await destinations.allowed(request.url)
    if (flight.isAborted) throw new BadFetch('it was given up')
    const { method, url, body } = request
    const isAny = headerValue(request.headers, 'accept-encoding') === undefined
    // Fetch, "HTTP-network-or-cache fetch": a part of what is packed could not be unpacked.
    const isPart = headerValue(request.headers, 'range') !== undefined
    const isDecoded = isAny && !isPart
    const headers = [
      'host',
      url.host,
      ...request.headers,
      ...(isAny ? ['accept-encoding', isPart ? 'identity' : ACCEPT_ENCODING] : []),
      ...(headerValue(request.headers, 'accept') === undefined ? ['accept', '*/*'] : []),
      ...(headerValue(request.headers, 'user-agent') === undefined ? ['user-agent', 'orla'] : []),
      'cdn-loop',
      loopHeader(account.requestHead, request.hops),
    ]
    const ofBody = {
      count: (bytes: number) => count(bytes, going),
      describe: (error: unknown) => errorOf(error, target),
    }
    flight.receiving = receive(isDecoded, ofBody, (handler) => {
      const sent = {
        method,
        target: url.pathname + url.search,
        headers,
        body: body === undefined ? ('none' as const) : body.length,
        isWhole: true,
      }
      const call = destinations.send(url, addresses, sent, handler)
      if (body !== undefined && body.length > 0) {
        call.write(body)
        call.end()
      }
      return call
    })
    return flight.receiving.answer
  }

  close(): void {
    this.#destinations.close()
  }
}

/** Each hop counts. A request that came by a fetch has half as many of its own, so that no tree of them grows for ever. */
function spend(request: FetchRequest, going: Going): void {
  const { account, destinations } = going
  const { requestsMax } = destinations.config
  const allowed = requestsMax >> request.hops
  if (allowed === 0)
    throw new Spent(`this request came here by ${request.hops} fetches in a row: it goes in a loop`)
  if (account.fetches >= allowed) {
    const why = request.hops > 0 ? `, after ${request.hops} fetches that led to it` : ''
    throw new Spent(`one request may fetch ${allowed} times${why} (edge.fetch.requestsMax)`)
  }
  account.fetches++
  count(request.body?.length ?? 0, going)
}

/** Bytes that the unit gives or is given. */
function count(bytes: number, { account, destinations }: Going): void {
  const { bytesMax } = destinations.config
  if (account.fetchedBytes + bytes > bytesMax) {
    throw new Spent(`one request may fetch ${bytesMax} bytes in all (edge.fetch.bytesMax)`)
  }
  account.fetchedBytes += bytes
}

const isRedirect = (status: number): boolean =>
  status === 301 || status === 302 || status === 303 || status === 307 || status === 308

/** Fetch §4.4, "HTTP-redirect fetch". What is for one origin is not carried to another. */
function redirected(request: FetchRequest, status: number, url: URL): FetchRequest {
  const { method } = request
  const becomesGet =
    (status === 303 && method !== 'GET' && method !== 'HEAD') ||
    ((status === 301 || status === 302) && method === 'POST')
  const dropped = [
    ...(becomesGet ? ['content-type', 'content-language', 'content-location', 'content-encoding'] : []),
    ...(url.origin === request.url.origin ? [] : ['authorization', 'cookie', 'proxy-authorization']),
  ]
  return {
    ...request,
    url,
    method: becomesGet ? 'GET' : method,
    body: becomesGet ? undefined : request.body,
    headers: withoutFields(request.headers, (name) => dropped.includes(name)),
  }
}

/** As the Fetch API has it, a fetch that fails is a TypeError. Its code tells which. */
function errorOf(error: unknown, target: string): HostError {
  return {
    name: 'TypeError',
    message: `fetch ${target}`.trim() + `: ${(error as Error).message}`,
    code: codeOf(error),
  }
}

function codeOf(error: unknown): string {
  if (error instanceof Unreachable || error instanceof EdgeError) return error.code
  if (error instanceof Spent) return 'fetch-budget'
  return error instanceof BadFetch ? 'fetch-invalid' : 'internal'
}
