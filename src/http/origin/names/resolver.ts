/**
 * The addresses of a name, and how long they hold.
 *
 * Three are asked, in this order: `/etc/hosts`, DNS (which tells a TTL), and the system's own look-up, which knows search
 * domains and other sources. A resolver named in the configuration is asked alone.
 */
import { lookup, Resolver } from 'node:dns/promises'
import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { addressesInHosts } from './hosts-file.ts'

/** Addresses by family. Absent: this time nothing could be learnt of the family, so what was known of it holds. */
export interface Resolved {
  readonly v4: readonly string[] | undefined
  readonly v6: readonly string[] | undefined
  readonly ttlMs: number
}

export interface NameResolver {
  /** Rejects where the name has no address, or nobody could tell; the error's `code` is the one of `node:dns`. */
  resolve(name: string): Promise<Resolved>
  /** Ends what is under way. */
  cancel(): void
}

/** Of addresses that came without a TTL. */
const TTL_MS = 30_000
const TTL_MIN_MS = 1000
const TTL_MAX_MS = 3_600_000
const QUERY_TIMEOUT_MS = 2000
const QUERY_TRIES = 2

export function createResolver(server: string | undefined): NameResolver {
  const resolver = new Resolver({ timeout: QUERY_TIMEOUT_MS, tries: QUERY_TRIES })
  if (server !== undefined) resolver.setServers([server])
  return {
    async resolve(name) {
      if (server !== undefined) return askDns(resolver, name)
      const local = addressesInHosts(name)
      if (local.length > 0) return byFamily(local)
      try {
        return await askDns(resolver, name)
      } catch {
        const found = await lookup(name, { all: true })
        return byFamily(found.map(({ address }) => address))
      }
    },
    cancel: () => resolver.cancel(),
  }
}

async function askDns(resolver: Resolver, name: string): Promise<Resolved> {
  const [v4, v6] = await Promise.allSettled([
    resolver.resolve4(name, { ttl: true }),
    resolver.resolve6(name, { ttl: true }),
  ])
  if (v4.status === 'rejected' && v6.status === 'rejected') {
    // Of a name without IPv6, what went wrong with IPv4 says more.
    throw isEmpty(v4.reason) ? v6.reason : v4.reason
  }
  const records = [v4, v6].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
  if (records.length === 0) throw Object.assign(new Error(`${name} has no address`), { code: 'ENODATA' })
  const ttlMs = Math.min(...records.map(({ ttl }) => ttl * 1000))
  return {
    v4: familyOf(v4),
    v6: familyOf(v6)?.filter(isReachable),
    ttlMs: Math.min(TTL_MAX_MS, Math.max(TTL_MIN_MS, ttlMs)),
  }
}

function familyOf(
  answer: PromiseSettledResult<readonly { readonly address: string }[]>,
): string[] | undefined {
  if (answer.status === 'fulfilled') return answer.value.map(({ address }) => address)
  return isEmpty(answer.reason) ? [] : undefined
}

/** The name is there, without an address of this family. */
const isEmpty = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENODATA'

function byFamily(addresses: readonly string[]): Resolved {
  return {
    v4: addresses.filter((address) => !isIPv6(address)),
    v6: addresses.filter((address) => isIPv6(address)).filter(isReachable),
    ttlMs: TTL_MS,
  }
}

/** RFC 6724 in short: an address of IPv6 is of no use to a machine that has none. */
function isReachable(address: string): boolean {
  const isLoopback = address === '::1'
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(
      (own) =>
        own.family === 'IPv6' &&
        (isLoopback ? own.internal : !own.internal && !own.address.startsWith('fe80:')),
    ),
  )
}
