/**
 * No two server blocks may be meant by the same query: the same zone at the same port is served once, unless filters (`view`) tell them apart; and one
 * that listens on all addresses overlaps each that is bound to one.
 */
import type { DnsTransport } from '../contract/dns.ts'

export interface ServedZone {
  readonly transport: DnsTransport
  /** As text, with the dot at the end. */
  readonly zone: string
  readonly port: number
  /** Empty for all. */
  readonly address: string
}

export class ZoneOverlaps {
  readonly #served = new Set<string>()
  /** By the same without its address: what was served there last. */
  readonly #anywhere = new Map<string, ServedZone>()

  /** Why it cannot be served besides what was added before; undefined where it can. With filters it is only looked at. */
  add(zone: ServedZone, isFiltered: boolean): string | undefined {
    if (this.#served.has(shown(zone))) return `cannot serve ${shown(zone)} - it is already defined`
    const everywhere: ServedZone = { ...zone, address: '' }
    const other = this.#anywhere.get(shown(everywhere))
    if (other && (zone.address === '' || this.#served.has(shown(everywhere)))) {
      const overlapping = zone.address === '' ? other : everywhere
      return `cannot serve ${shown(zone)} - zone overlap listener capacity with ${shown(overlapping)}`
    }
    if (isFiltered) return undefined
    this.#served.add(shown(zone))
    this.#anywhere.set(shown(everywhere), zone)
    return undefined
  }
}

const shown = ({ transport, zone, port, address }: ServedZone): string =>
  `${transport}://${zone}:${port}${address === '' ? '' : ` on ${address}`}`
