/**
 * Proofs that something does not exist, out of the NSEC (RFC 4035 §3.1.3) or NSEC3 (RFC 5155 §7.2) records that a signed zone brings along. They are added to the authority section.
 */
import { TYPE } from '../wire/dns/codes.ts'
import { DnsName } from '../wire/dns/name.ts'
import type { DnsRecord } from '../wire/dns/record.ts'
import { type Nsec3Settings, nsec3Hash, nsec3Settings } from './nsec3-hash.ts'
import type { Zone } from './zone.ts'

/** The name is there; what was asked for is not. */
export function proveNoData(zone: Zone, node: number, name: DnsName, into: DnsRecord[]): void {
  if (zone.isNsecSigned) {
    // An empty name has no NSEC of its own: the one in front of it says what comes next.
    addProof(zone, zone.set(node, TYPE.NSEC).length > 0 ? node : zone.nsecFor(name.key), TYPE.NSEC, into)
    return
  }
  const settings = nsec3Settings(zone)
  if (settings && !addMatching(zone, name.key, settings, into)) proveEncloser(zone, name.key, settings, into)
}

/** Nothing has the name, and no wildcard stands for it. */
export function proveNoName(zone: Zone, name: DnsName, encloser: number, into: DnsRecord[]): void {
  if (zone.isNsecSigned) {
    addProof(zone, zone.nsecFor(name.key), TYPE.NSEC, into)
    addProof(zone, zone.nsecFor(wildcardOf(zone, encloser)), TYPE.NSEC, into)
    return
  }
  const settings = nsec3Settings(zone)
  if (!settings) return
  proveEncloser(zone, name.key, settings, into)
  addCovering(zone, wildcardOf(zone, encloser), settings, into)
}

/** A wildcard stood for the name: nothing nearer to it exists. */
export function proveWildcard(zone: Zone, name: DnsName, encloser: number, into: DnsRecord[]): void {
  if (zone.isNsecSigned) return addProof(zone, zone.nsecFor(name.key), TYPE.NSEC, into)
  const settings = nsec3Settings(zone)
  if (settings) addCovering(zone, nextCloser(name.key, zone.name(encloser).key), settings, into)
}

/** A wildcard stood for the name, and does not have what was asked for. */
export function proveWildcardNoData(
  zone: Zone,
  name: DnsName,
  encloser: number,
  wildcard: number,
  into: DnsRecord[],
): void {
  if (zone.isNsecSigned) {
    addProof(zone, zone.nsecFor(name.key), TYPE.NSEC, into)
    addProof(zone, wildcard, TYPE.NSEC, into)
    return
  }
  const settings = nsec3Settings(zone)
  if (!settings) return
  proveEncloser(zone, name.key, settings, into)
  addMatching(zone, wildcardOf(zone, encloser), settings, into)
}

const wildcardOf = (zone: Zone, encloser: number): string => `\x01*${zone.name(encloser).key}`

/** `name` as far as one label below `encloser`. */
function nextCloser(name: string, encloser: string): string {
  let rest = name
  for (;;) {
    const above = rest.slice(1 + rest.charCodeAt(0))
    if (above.length <= encloser.length) return rest
    rest = above
  }
}

/** RFC 5155 §7.2.1: the longest name above that is proved, and that nothing is right below it on the way to the name. */
function proveEncloser(zone: Zone, name: string, settings: Nsec3Settings, into: DnsRecord[]): void {
  let rest = name
  while (rest.length > zone.origin.key.length) {
    const above = rest.slice(1 + rest.charCodeAt(0))
    // Not all that exists has an NSEC3: names that only lead to zones which are not signed may be left out (§6).
    if (addMatching(zone, above, settings, into)) {
      addCovering(zone, rest, settings, into)
      return
    }
    rest = above
  }
}

function addMatching(zone: Zone, name: string, settings: Nsec3Settings, into: DnsRecord[]): boolean {
  const label = nsec3Hash(name, settings)
  const node = zone.nsec3For(label)
  if (zone.labelOf(node).toLowerCase() !== label) return false
  addProof(zone, node, TYPE.NSEC3, into)
  return true
}

const addCovering = (zone: Zone, name: string, settings: Nsec3Settings, into: DnsRecord[]): void =>
  addProof(zone, zone.nsec3For(nsec3Hash(name, settings)), TYPE.NSEC3, into)

/** With its signatures, unless it is there already: one record may prove several things. */
function addProof(zone: Zone, node: number, type: number, into: DnsRecord[]): void {
  const proof = zone.set(node, type)
  if (
    proof[0] === undefined ||
    into.some((there) => there.type === type && there.name.key === proof[0]!.name.key)
  )
    return
  into.push(...proof, ...zone.signatures(node, type))
}
