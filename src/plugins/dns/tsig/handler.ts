/** Verifies what is signed, refuses what has to be and is not, and has answers signed (RFC 8945 §5). */
import type { DnsHandler, DnsLog, DnsNext, DnsOutcome, DnsQuery } from '../../../contract/dns.ts'
import { RCODE, TYPE } from '../../../wire/dns/codes.ts'
import { DnsMalformed } from '../../../wire/dns/malformed.ts'
import type { DnsName } from '../../../wire/dns/name.ts'
import { findTsig, type FoundTsig, tsigError, type TsigSecret, TsigSigner } from '../../../wire/dns/tsig.ts'

export interface TsigOptions {
  readonly zones: readonly DnsName[]
  /** By key of the name. */
  readonly secrets: ReadonlyMap<string, TsigSecret>
  /** Types that are answered only where they are signed. */
  readonly required: ReadonlySet<number> | 'all'
  readonly nowS: () => number
  readonly log: DnsLog
}

export class TsigHandler implements DnsHandler {
  readonly #options: TsigOptions

  constructor(options: TsigOptions) {
    this.#options = options
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    const { zones, secrets, required, nowS, log } = this.#options
    if (!zones.some((zone) => query.qname.isWithin(zone))) return next(query)
    let found: FoundTsig | undefined
    try {
      found = findTsig(query.bytes)
    } catch (error) {
      if (error instanceof DnsMalformed) return RCODE.FORMERR
      throw error
    }
    if (!found) {
      if (required !== 'all' && !required.has(query.qtype)) return next(query)
      query.explain('prohibited', 'tsig: the question is not signed')
      return RCODE.REFUSED
    }
    const { tsig } = found
    const known = secrets.get(tsig.key.key)
    const error = tsigError(found, known, nowS())
    if (error === RCODE.FORMERR) return RCODE.FORMERR
    const key = { name: tsig.key, algorithm: tsig.algorithm, secret: known?.secret }
    query.signature = new TsigSigner(key, nowS, { tsig, error })
    if (error !== 0) {
      log.debug(
        `${query.name()} ${query.type()} from ${query.ip()}: the signature does not hold: error ${error}`,
      )
      return query.reply(RCODE.NOTAUTH)
    }
    // Those behind are asked without it: it is between this client and us.
    const message = query.message.copy()
    message.additional = message.additional.filter(({ type }) => type !== TYPE.TSIG)
    return next(query.with({ message }))
  }
}
