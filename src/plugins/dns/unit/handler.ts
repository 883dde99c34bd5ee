import type { DnsHandler, DnsNext, DnsOutcome, DnsQuery, DnsUnits } from '../../../contract/dns.ts'

export class UnitHandler implements DnsHandler {
  readonly #units: DnsUnits
  /** Names of the units that are asked here; undefined: all. */
  readonly #only: ReadonlySet<string> | undefined

  constructor(units: DnsUnits, only: ReadonlySet<string> | undefined) {
    this.#units = units
    this.#only = only
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    return this.#units.run(query, next, this.#only)
  }
}
