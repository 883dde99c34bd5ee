/** Functions that expressions may call: what a query is, and a few of the language itself. */
import { type Cidr, CidrSet, parseCidr } from '../../../../base/cidr.ts'
import { parseIp } from '../../../../base/ip-address.ts'
import type { DnsQuery } from '../../../../contract/dns.ts'

export type Type = 'bool' | 'number' | 'string' | 'array'
export type Value = boolean | number | string | readonly Value[]

export interface ExpressionFunction {
  readonly takes: readonly (readonly Type[])[]
  readonly gives: Type
  readonly call: (query: DnsQuery, args: readonly Value[]) => Value
}

/** An address of IPv6 stands in brackets (RFC 3986 §3.2.2), as CoreDNS has it. */
const bracketed = (ip: string): string => (ip.includes(':') ? `[${ip}]` : ip)

const told = (gives: Type, call: (query: DnsQuery) => Value): ExpressionFunction => ({
  takes: [],
  gives,
  call,
})
const pure = (
  takes: readonly (readonly Type[])[],
  gives: Type,
  call: (...args: never[]) => Value,
): ExpressionFunction => ({
  takes,
  gives,
  call: (_query, args) => (call as (...all: readonly Value[]) => Value)(...args),
})

export const FUNCTIONS: Readonly<Record<string, ExpressionFunction>> = {
  bufsize: told('number', (query) => query.size()),
  class: told('string', (query) => query.class()),
  client_ip: told('string', (query) => bracketed(query.ip())),
  do: told('bool', (query) => query.do()),
  id: told('number', ({ bytes }) => bytes.readUInt16BE(0)),
  name: told('string', (query) => query.name()),
  opcode: told('number', (query) => query.opcode),
  port: told('string', (query) => String(query.port())),
  proto: told('string', (query) => query.proto()),
  server_ip: told('string', (query) => bracketed(query.localIp())),
  server_port: told('string', (query) => String(query.localPort())),
  size: told('number', ({ bytes }) => bytes.length),
  type: told('string', (query) => query.type()),
  metadata: {
    takes: [['string']],
    gives: 'string',
    call: (query, [label]) => query.metadata.get(label as string)?.() ?? '',
  },
  incidr: pure([['string'], ['string']], 'bool', (ip: string, cidr: string) => isInCidr(ip, cidr)),
  len: pure([['string', 'array']], 'number', (value: string | readonly Value[]) => value.length),
  lower: pure([['string']], 'string', (text: string) => text.toLowerCase()),
  upper: pure([['string']], 'string', (text: string) => text.toUpperCase()),
  trim: pure([['string']], 'string', (text: string) => text.trim()),
  string: pure([['string', 'number', 'bool']], 'string', String),
  int: pure([['string', 'number']], 'number', (value: string | number) => {
    const number = Number(value)
    if (Number.isNaN(number)) throw new TypeError(`int: ${JSON.stringify(value)} is no number`)
    return Math.trunc(number)
  }),
}

const withoutBrackets = (ip: string): string =>
  ip.startsWith('[') && ip.endsWith(']') ? ip.slice(1, -1) : ip

function isInCidr(ip: string, cidr: string): boolean {
  const address = parseIp(withoutBrackets(ip))
  if (address === undefined) throw new TypeError(`incidr: ${JSON.stringify(ip)} is no address`)
  const prefix = prefixFrom(cidr)
  if (prefix === undefined) throw new TypeError(`incidr: ${JSON.stringify(cidr)} is no prefix`)
  return new CidrSet([prefix]).has(address)
}

/** A prefix with its length; undefined for anything else. */
export const prefixFrom = (text: string): Cidr | undefined =>
  text.includes('/') ? parseCidr(text) : undefined
