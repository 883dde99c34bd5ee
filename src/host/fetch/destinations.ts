/**
 * Where a `fetch` goes: the name is resolved, every address is looked at, and the connection is made to the very address that
 * passed. So a name that answers differently the second time leads nowhere else.
 *
 * Connections are pooled by scheme, name, port and address, as those to origins are.
 */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import { readFileSync } from 'node:fs'
import type { Clock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import type { Config } from '../../config/schema.ts'
import type { OriginCall, OriginHandler, OriginRequest } from '../../contract/origin.ts'
import { Call, type Attempts } from '../../http/origin/call.ts'
import { Endpoint } from '../../http/origin/endpoint.ts'
import { isPrivate } from './private-addresses.ts'

export type FetchConfig = Config['edge']['fetch']

/** A destination that units may not reach, or that is not there. */
export class Unreachable extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** The addresses of a name are asked for anew after this. */
const NAME_MS = 5000
const NAMES_MAX = 1000
const ENDPOINTS_MAX = 500
/** As many as one unit may have under way: a body that is streamed holds its own. */
const CONNECTIONS_MAX = 1024
const PENDING_MAX = 2048
/** Fetch, "port blocking": services that take HTTP for something else. */
const BAD_PORTS = new Set([
  1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104,
  109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515,
  526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049,
  3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
])

interface Resolved {
  readonly addresses: readonly string[]
  readonly until: number
}

export class Destinations {
  readonly config: FetchConfig
  readonly #clock: Clock
  readonly #names = new Map<string, Resolved>()
  readonly #endpoints = new Map<string, Endpoint>()
  #context: SecureContext | undefined

  constructor(config: FetchConfig, clock: Clock) {
    this.config = config
    this.#clock = clock
  }

  /** The addresses that may be connected to. Throws `Unreachable`. */
  async allowed(url: URL): Promise<readonly string[]> {
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
    if (url.port !== '' && BAD_PORTS.has(Number(url.port))) {
      throw new Unreachable('fetch-refused', `port ${url.port} is not one of HTTP`)
    }
    const addresses = isIP(host) === 0 ? await this.#resolve(host) : [host]
    if (this.config.allowPrivate || this.#isNamed(url)) return addresses
    const closed = addresses.find((address) => isPrivate(address))
    if (closed === undefined) return addresses
    // With its port, which `edge.fetch.sites` may name, and which a redirect may have changed.
    const what = closed === host ? `${url.host} is` : `${url.host} is at ${closed},`
    throw new Unreachable(
      'fetch-private',
      `${what} a private address: units may not reach it unless the configuration names it in edge.fetch.sites (of orla dev and orla bench: --allow-fetch)`,
    )
  }

  #isNamed({ hostname, port, protocol }: URL): boolean {
    const host = `${hostname}:${port || (protocol === 'https:' ? '443' : '80')}`
    return this.config.sites.some((site) =>
      site.startsWith('*.')
        ? hostname.endsWith(site.slice(1)) && hostname.length > site.length - 1
        : site === hostname || site === host,
    )
  }

  async #resolve(name: string): Promise<readonly string[]> {
    const now = this.#clock.monotonic()
    const known = this.#names.get(name)
    if (known && known.until > now) return known.addresses
    let addresses: string[]
    try {
      addresses = (await lookup(name, { all: true })).map(({ address }) => address)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
      throw new Unreachable('fetch-unresolved', `the name ${name} has no address (${code})`)
    }
    if (this.#names.size >= NAMES_MAX) this.#names.clear()
    this.#names.set(name, { addresses, until: now + NAME_MS })
    return addresses
  }

  /** Sends to one address, and on to the next where no connection can be made. */
  send(url: URL, addresses: readonly string[], request: OriginRequest, handler: OriginHandler): OriginCall {
    let turn = 0
    let isRenewed = false
    const attempts: Attempts = {
      failOver: (call, error) => {
        // A kept connection that was closed under it: once more, on a new one.
        if (error.code === 'origin-closed' && call.isSafeToRepeat && !isRenewed) {
          isRenewed = true
          this.#endpoint(url, addresses[turn]!).take(call, true)
          return true
        }
        const wasSent = error.code === 'origin-closed' || error.code === 'origin-timeout-response'
        if (wasSent || ++turn >= addresses.length) return false
        this.#endpoint(url, addresses[turn]!).take(call, false)
        return true
      },
      onStatus: () => false,
    }
    const call = new Call(request, handler, attempts, this.#clock)
    this.#endpoint(url, addresses[0]!).take(call, false)
    return call
  }

  #endpoint(url: URL, address: string): Endpoint {
    const key = `${url.origin} ${address}`
    let endpoint = this.#endpoints.get(key)
    // Those used last are kept.
    if (endpoint) this.#endpoints.delete(key)
    else endpoint = this.#makeEndpoint(url, address)
    this.#endpoints.set(key, endpoint)
    if (this.#endpoints.size > ENDPOINTS_MAX) {
      const [oldest] = this.#endpoints.keys()
      this.#endpoints.get(oldest!)!.close()
      this.#endpoints.delete(oldest!)
    }
    return endpoint
  }

  #makeEndpoint(url: URL, address: string): Endpoint {
    const isTls = url.protocol === 'https:'
    const { timeouts } = this.config
    return new Endpoint({
      address: {
        name: url.origin,
        authority: url.host,
        host: address,
        port: url.port === '' ? (isTls ? 443 : 80) : Number(url.port),
        tls: isTls
          ? {
              context: (this.#context ??= secureContext(this.config.ca)),
              serverName: url.hostname.replace(/^\[(.*)\]$/, '$1'),
              verify: true,
            }
          : undefined,
      },
      timeouts,
      connectionsMax: CONNECTIONS_MAX,
      pendingMax: PENDING_MAX,
      clock: this.#clock,
    })
  }

  close(): void {
    for (const endpoint of this.#endpoints.values()) endpoint.close()
    this.#endpoints.clear()
  }
}

function secureContext(ca: string | undefined): SecureContext {
  if (ca === undefined) return createSecureContext()
  try {
    return createSecureContext({ ca: readFileSync(ca) })
  } catch (error) {
    throw new EdgeError('config-invalid', `edge.fetch.ca: ${ca} cannot be read`, { cause: error })
  }
}
