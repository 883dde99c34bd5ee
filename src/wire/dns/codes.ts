/** Numbers of the DNS and their names, from IANA's registries "Domain Name System (DNS) Parameters". */

/** Types of records that are known by name. Any other is written `TYPE65280` (RFC 3597 §5). */
export const TYPE = {
  A: 1,
  NS: 2,
  MD: 3,
  MF: 4,
  CNAME: 5,
  SOA: 6,
  MB: 7,
  MG: 8,
  MR: 9,
  NULL: 10,
  WKS: 11,
  PTR: 12,
  HINFO: 13,
  MINFO: 14,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  X25: 19,
  ISDN: 20,
  RT: 21,
  NSAP: 22,
  SIG: 24,
  KEY: 25,
  PX: 26,
  GPOS: 27,
  AAAA: 28,
  LOC: 29,
  EID: 31,
  NIMLOC: 32,
  SRV: 33,
  NAPTR: 35,
  KX: 36,
  CERT: 37,
  DNAME: 39,
  OPT: 41,
  APL: 42,
  DS: 43,
  SSHFP: 44,
  IPSECKEY: 45,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  DHCID: 49,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  HIP: 55,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  CSYNC: 62,
  ZONEMD: 63,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  NID: 104,
  L32: 105,
  L64: 106,
  LP: 107,
  EUI48: 108,
  EUI64: 109,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  MAILA: 254,
  ANY: 255,
  URI: 256,
  CAA: 257,
} as const

export const CLASS = { IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 } as const

export const OPCODE = { QUERY: 0, IQUERY: 1, STATUS: 2, NOTIFY: 4, UPDATE: 5, DSO: 6 } as const

export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  YXRRSET: 7,
  NXRRSET: 8,
  NOTAUTH: 9,
  NOTZONE: 10,
  DSOTYPENI: 11,
  BADVERS: 16,
  BADKEY: 17,
  BADTIME: 18,
  BADMODE: 19,
  BADNAME: 20,
  BADALG: 21,
  BADTRUNC: 22,
  BADCOOKIE: 23,
} as const

/** Options of EDNS (RFC 6891 §6.1.2). */
export const OPTION = {
  NSID: 3,
  CLIENT_SUBNET: 8,
  EXPIRE: 9,
  COOKIE: 10,
  TCP_KEEPALIVE: 11,
  PADDING: 12,
  EXTENDED_ERROR: 15,
} as const

/** Extended DNS errors (RFC 8914 §4). */
export const EXTENDED_ERROR = {
  other: 0,
  'unsupported DNSKEY algorithm': 1,
  'unsupported DS digest type': 2,
  'stale answer': 3,
  'forged answer': 4,
  'DNSSEC indeterminate': 5,
  'DNSSEC bogus': 6,
  'signature expired': 7,
  'signature not yet valid': 8,
  'DNSKEY missing': 9,
  'RRSIGs missing': 10,
  'no zone key bit set': 11,
  'NSEC missing': 12,
  'cached error': 13,
  'not ready': 14,
  blocked: 15,
  censored: 16,
  filtered: 17,
  prohibited: 18,
  'stale NXDOMAIN answer': 19,
  'not authoritative': 20,
  'not supported': 21,
  'no reachable authority': 22,
  'network error': 23,
  'invalid data': 24,
} as const
export type ExtendedError = keyof typeof EXTENDED_ERROR

const named = (numbers: Readonly<Record<string, number>>): ReadonlyMap<number, string> =>
  new Map(Object.entries(numbers).map(([name, number]) => [number, name]))

const TYPE_NAMES = named(TYPE)
const CLASS_NAMES = named(CLASS)
const RCODE_NAMES = named(RCODE)
const OPCODE_NAMES = named(OPCODE)

/** `A`, or `TYPE65280` where it has no name. */
export const typeName = (type: number): string => TYPE_NAMES.get(type) ?? `TYPE${type}`
/** `IN`, or `CLASS32`. */
export const className = (number: number): string => CLASS_NAMES.get(number) ?? `CLASS${number}`
export const rcodeName = (rcode: number): string => RCODE_NAMES.get(rcode) ?? `RCODE${rcode}`
export const opcodeName = (opcode: number): string => OPCODE_NAMES.get(opcode) ?? `OPCODE${opcode}`

/** The number behind `a`, `AAAA` or `TYPE65280`; undefined for what is no type. */
export const parseType = (text: string): number | undefined => numberOf(TYPE, 'TYPE', text)
/** The number behind `in`, `CH` or `CLASS32`. */
export const parseClass = (text: string): number | undefined => numberOf(CLASS, 'CLASS', text)
export const parseRcode = (text: string): number | undefined => numberOf(RCODE, 'RCODE', text)

function numberOf(
  numbers: Readonly<Record<string, number>>,
  prefix: string,
  text: string,
): number | undefined {
  const name = text.toUpperCase()
  if (Object.hasOwn(numbers, name)) return numbers[name]
  const digits = name.startsWith(prefix) ? name.slice(prefix.length) : ''
  return /^\d{1,5}$/.test(digits) && Number(digits) <= 0xffff ? Number(digits) : undefined
}
