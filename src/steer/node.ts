/** Nodes that clients are sent to: what is configured of each, and what is known of it just now. */
import type { IpAddress } from '../base/ip-address.ts'
import type { DnsName } from '../wire/dns/name.ts'

export type NodeStateName = 'up' | 'down' | 'drain'

export interface EdgeNode {
  readonly name: string
  readonly v4: readonly IpAddress[]
  readonly v6: readonly IpAddress[]
  /** Answered instead of addresses. */
  readonly cname: DnsName | undefined
  /** Degrees. */
  readonly location: Coordinates | undefined
  /** ISO 3166-1, two letters in upper case. */
  readonly country: string | undefined
  /** AF, AN, AS, EU, NA, OC or SA. */
  readonly continent: string | undefined
  /** Networks that it is nearest to, whatever their place. */
  readonly asns: readonly number[]
  /** Share of clients among those as near; 0: none, as long as there is another one. */
  readonly weight: number
  /** The lowest number is taken first; others when none of those is there. */
  readonly priority: number
  /** Serves clients of these alone; empty: all. */
  readonly fence: readonly FenceWord[]
  readonly probe: ProbeTarget | undefined
  /** Its name as an edge of the control plane. */
  readonly edge: string
  /** Set by configuration, whatever is known of it. */
  readonly forced: NodeStateName | undefined
}

export interface Coordinates {
  readonly latitude: number
  readonly longitude: number
}

export type FenceWord =
  | { readonly kind: 'country'; readonly code: string }
  | { readonly kind: 'continent'; readonly code: string }
  | { readonly kind: 'asn'; readonly number: number }

export interface ProbeTarget {
  /** `http://192.0.2.1/health`, `https://…`, or `tcp://192.0.2.1:443`. */
  readonly url: string
  readonly intervalMs: number
  readonly timeoutMs: number
  /** Good ones in a row that bring a node up, bad ones in a row that take it down. */
  readonly rise: number
  readonly fall: number
  /** Statuses that are good; empty: 200 to 399. */
  readonly statuses: readonly number[]
  /** Of the header `Host` (and of TLS), where it is not the URL's. */
  readonly host: string | undefined
}

/** What is known of a node just now. Made anew when it changes. */
export interface NodeState {
  readonly state: NodeStateName
  /** Set by configuration or by hand. */
  readonly isForced: boolean
  readonly why: string
  /** From 0 to 1; undefined where nobody told. */
  readonly load: number | undefined
  readonly isOverloaded: boolean
}

export const CONTINENTS = ['AF', 'AN', 'AS', 'EU', 'NA', 'OC', 'SA']

/** `BR` a country, `continent:SA`, `AS64500`; undefined for anything else. */
export function parseFenceWord(text: string): FenceWord | undefined {
  if (/^[A-Za-z]{2}$/.test(text)) return { kind: 'country', code: text.toUpperCase() }
  const [, continent] = /^continent:([A-Za-z]{2})$/i.exec(text) ?? []
  if (continent !== undefined && CONTINENTS.includes(continent.toUpperCase()))
    return { kind: 'continent', code: continent.toUpperCase() }
  const [, digits] = /^AS(\d{1,10})$/i.exec(text) ?? []
  return digits !== undefined && Number(digits) <= 0xffff_ffff
    ? { kind: 'asn', number: Number(digits) }
    : undefined
}
