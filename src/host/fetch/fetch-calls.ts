/**
 * `fetch` for the units of a worker: within a budget for each invocation, never into private networks, and not in circles.
 *
 * Redirects are followed here, hop by hop, each checked as the first one was. Bodies are whole, in both directions.
 */
import type { Clock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import { refusal, type CallAccount, type HostAnswer, type HostCall } from '../../contract/host-calls.ts'
import { serialiseHeaders } from '../../wire/http1/serialise.ts'
import { headerValue } from '../../wire/http1/message.ts'
import { Destinations, Unreachable, type FetchConfig } from './destinations.ts'
import { ACCEPT_ENCODING, gather, TooLarge, without, type Gathered, type Gathering } from './gather.ts'
import { BadFetch, fetchUrl, loopHeader, parseFetch, type FetchRequest } from './request.ts'

const REDIRECTS_MAX = 20
/** Fetches of one unit under way on a worker; each may hold its body and its answer. */
const UNDER_WAY_MAX = 1024

/** A budget is used up. */
class Spent extends Error {}

/** What a fetch under way holds. */
interface Flight {
  isAborted: boolean
  gathering: Gathering | undefined
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
    const flight: Flight = { isAborted: false, gathering: undefined }
    const { name } = call.unit
    const count = this.#underWay.get(name) ?? 0
    this.#underWay.set(name, count + 1)
    void this.#run(call, flight).then((given) => {
      const left = this.#underWay.get(name)! - 1
      if (left > 0) this.#underWay.set(name, left)
      else this.#underWay.delete(name)
      if (!flight.isAborted) answer(given)
    })
    return () => {
      flight.isAborted = true
      flight.gathering?.abort()
    }
  }

  async #run(call: HostCall, flight: Flight): Promise<HostAnswer> {
    let target = ''
    try {
      const request = parseFetch(call)
      target = `${request.method} ${request.url.href}`
      if (this.#underWay.get(call.unit.name)! > UNDER_WAY_MAX) {
        throw new Spent(`more than ${UNDER_WAY_MAX} fetches of this unit are under way`)
      }
      const { answer, url, redirected } = await this.#follow(
        request,
        call.account,
        flight,
        this.#destinations,
      )
      const head = `${answer.status} ${redirected ? 1 : 0} ${answer.reason}\n${url.href.slice(0, -url.hash.length || undefined)}\n${serialiseHeaders(answer.headers)}`
      return { ok: true, head, body: answer.body.toString('latin1'), result: String(answer.status), target }
    } catch (error) {
      return failure(error, target)
    }
  }

  async #follow(
    first: FetchRequest,
    account: CallAccount,
    flight: Flight,
    destinations: Destinations,
  ): Promise<{ readonly answer: Gathered; readonly url: URL; readonly redirected: boolean }> {
    let request = first
    for (let redirects = 0; ; redirects++) {
      spend(request, account, destinations.config)
      const answer = await this.#once(request, account, flight, destinations)
      const location = isRedirect(answer.status) ? headerValue(answer.headers, 'location') : undefined
      if (location === undefined || request.redirect === 'manual') {
        return { answer, url: request.url, redirected: redirects > 0 }
      }
      if (request.redirect === 'error') throw new BadFetch(`it was redirected to ${location}`)
      if (redirects >= REDIRECTS_MAX) throw new BadFetch(`it was redirected more than ${REDIRECTS_MAX} times`)
      request = redirected(request, answer.status, fetchUrl(location, request.url))
    }
  }

  async #once(
    request: FetchRequest,
    account: CallAccount,
    flight: Flight,
    destinations: Destinations,
  ): Promise<Gathered> {
    const addresses = await destinations.allowed(request.url)
    if (flight.isAborted) throw new BadFetch('it was given up')
    const { method, url, body } = request
    const isDecoded = headerValue(request.headers, 'accept-encoding') === undefined
    const headers = [
      'host',
      url.host,
      ...request.headers,
      ...(isDecoded ? ['accept-encoding', ACCEPT_ENCODING] : []),
      ...(headerValue(request.headers, 'accept') === undefined ? ['accept', '*/*'] : []),
      ...(headerValue(request.headers, 'user-agent') === undefined ? ['user-agent', 'orla'] : []),
      'cdn-loop',
      loopHeader(account.requestHead, request.hops),
    ]
    const bytesLeft = destinations.config.bytesMax - account.fetchedBytes
    const gathering = gather(bytesLeft, isDecoded, (handler) => {
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
    flight.gathering = gathering
    try {
      const answer = await gathering.answer
      account.fetchedBytes += answer.bytes
      return answer
    } catch (error) {
      throw error instanceof TooLarge ? tooMany(destinations.config) : error
    }
  }

  close(): void {
    this.#destinations.close()
  }
}

/** Each hop counts. A request that came by a fetch has half as many of its own, so that no tree of them grows for ever. */
function spend(request: FetchRequest, account: CallAccount, config: FetchConfig): void {
  const allowed = config.requestsMax >> request.hops
  if (allowed === 0)
    throw new Spent(`this request came here by ${request.hops} fetches in a row: it goes in a loop`)
  if (account.fetches >= allowed) {
    const why = request.hops > 0 ? `, after ${request.hops} fetches that led to it` : ''
    throw new Spent(`one request may fetch ${allowed} times${why} (edge.fetch.requestsMax)`)
  }
  account.fetches++
  account.fetchedBytes += request.body?.length ?? 0
  if (account.fetchedBytes > config.bytesMax) throw tooMany(config)
}

const tooMany = ({ bytesMax }: FetchConfig): Spent =>
  new Spent(`one request may fetch ${bytesMax} bytes in all (edge.fetch.bytesMax)`)

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
    headers: without(request.headers, dropped),
  }
}

/** As the Fetch API has it, a fetch that fails is a TypeError. Its code tells which. */
function failure(error: unknown, target: string): HostAnswer {
  const what = `fetch ${target}`.trim()
  if (error instanceof Unreachable)
    return refusal(error.code, `${what}: ${error.message}`, 'TypeError', target)
  if (error instanceof Spent) return refusal('fetch-budget', `${what}: ${error.message}`, 'TypeError', target)
  if (error instanceof BadFetch)
    return refusal('fetch-invalid', `${what}: ${error.message}`, 'TypeError', target)
  if (error instanceof EdgeError) return refusal(error.code, `${what}: ${error.message}`, 'TypeError', target)
  return refusal('internal', `${what}: ${(error as Error).message}`, 'TypeError', target)
}
