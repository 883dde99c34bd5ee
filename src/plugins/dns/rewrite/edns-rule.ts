/** `edns0`: options of the question for whoever is asked behind: a local one, NSID, or the client's network. */
import type { DnsQuery } from '../../../contract/dns.ts'
import { addressRdata } from '../../../wire/dns/common-rdata.ts'
import type { Edns, EdnsOption } from '../../../wire/dns/edns.ts'
import type { DnsMessage } from '../../../wire/dns/message.ts'
import type { AnswerRewrite, Rewritten, RewriteRule } from './rules.ts'

export const EDNS_ACTIONS = ['set', 'append', 'replace', 'unset'] as const
/** `set` in any case, `append` where there is none, `replace` where there is one, `unset` takes it away. */
export type EdnsAction = (typeof EDNS_ACTIONS)[number]

/** Bytes of the option for a query. */
export type OptionData = (query: DnsQuery) => Buffer

export class EdnsRule implements RewriteRule {
  readonly isLast: boolean
  readonly #action: EdnsAction
  readonly #code: number
  readonly #data: OptionData
  readonly #reverts: boolean

  /** `reverts`: an answer that carries the option has none when it goes out, as the client did not ask for it. */
  constructor(isLast: boolean, action: EdnsAction, code: number, data: OptionData, reverts: boolean) {
    this.isLast = isLast
    this.#action = action
    this.#code = code
    this.#data = data
    this.#reverts = reverts
  }

  apply(query: DnsQuery): Rewritten | undefined {
    const { edns } = query.message
    const has = edns?.options.some(({ code }) => code === this.#code) ?? false
    if (this.#action === 'append' ? has : this.#action !== 'set' && !has) return undefined
    const message = query.message.copy()
    const options = (edns?.options ?? []).filter(({ code }) => code !== this.#code)
    if (this.#action !== 'unset') options.push({ code: this.#code, data: this.#data(query) })
    message.edns = { ...(edns ?? NO_EDNS), options }
    return { query: query.with({ message }), answers: this.#reverts ? [this.#revert] : [] }
  }

  readonly #revert: AnswerRewrite = (answer: DnsMessage) => {
    if (!answer.edns) return
    const options: EdnsOption[] = answer.edns.options.filter(({ code }) => code !== this.#code)
    answer.edns = { ...answer.edns, options }
  }
}

/** What a question without EDNS has once it is given an option. */
const NO_EDNS: Omit<Edns, 'options'> = { udpSize: 1232, version: 0, isDo: false }

/** RFC 7871 §6: so many bits of the client's address. */
export function clientSubnet(v4Bits: number, v6Bits: number): OptionData {
  return (query) => {
    const { family, words } = query.address()
    const bits = family === 4 ? v4Bits : v6Bits
    const address = Buffer.alloc(family === 4 ? 4 : 16)
    if (family === 4) address.writeUInt32BE(words[3] >>> 0)
    else words.forEach((word, index) => address.writeUInt32BE(word >>> 0, 4 * index))
    const bytes = address.subarray(0, Math.ceil(bits / 8))
    if (bits % 8 !== 0) bytes[bytes.length - 1]! &= 0xff << (8 - (bits % 8))
    return Buffer.concat([Buffer.from([0, family === 4 ? 1 : 2, bits, 0]), bytes])
  }
}

/** The text of a variable of CoreDNS, or what `metadata` knows under that label. */
export function variable(name: string): OptionData {
  const known = VARIABLES[name]
  return known ?? ((query) => Buffer.from(query.metadata.get(name)?.() ?? ''))
}

const number16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

const addressBytes = (query: DnsQuery): Buffer => clientSubnet(32, 128)(query).subarray(4)

/** As bytes, as CoreDNS has them: addresses and ports in network order. */
const VARIABLES: Readonly<Record<string, OptionData>> = {
  qname: (query) => Buffer.from(query.name()),
  qtype: (query) => number16(query.qtype),
  client_ip: addressBytes,
  client_port: (query) => number16(query.port()),
  protocol: (query) => Buffer.from(query.proto()),
  server_ip: (query) => addressRdata(query.localIp()) ?? Buffer.alloc(0),
  server_port: (query) => number16(query.localPort()),
}
