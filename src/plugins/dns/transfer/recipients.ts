/** Whom a zone is given to, and who is told that it changed. */
import { parseIp } from '../../../base/ip-address.ts'
import { covers, type IpPrefix, prefixOf } from '../../../base/ip-prefix.ts'
import type { DnsName } from '../../../wire/dns/name.ts'
import type { ServerAddress } from '../../../zone/tcp-link.ts'

export interface Recipients {
  readonly zones: readonly DnsName[]
  readonly isForAll: boolean
  readonly networks: readonly IpPrefix[]
  /** Named one by one: these are told of changes. */
  readonly servers: readonly ServerAddress[]
}

/** Those whose zone is the longest that has the name; of equal ones the first. */
export function recipientsOf(all: readonly Recipients[], name: DnsName): Recipients | undefined {
  let best: Recipients | undefined
  let longest = -1
  for (const recipients of all)
    for (const zone of recipients.zones)
      if (zone.key.length > longest && name.isWithin(zone)) {
        best = recipients
        longest = zone.key.length
      }
  return best
}

export function isAllowed({ isForAll, networks }: Recipients, ip: string): boolean {
  if (isForAll) return true
  const address = parseIp(ip)
  return address !== undefined && networks.some((network) => covers(network, prefixOf(address, 128)))
}
