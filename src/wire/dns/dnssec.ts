/** Signatures over sets of records (RFC 4034): what is signed, in its canonical form, and RRSIG records for it. */
import { type KeyObject, sign } from 'node:crypto'
import { TYPE } from './codes.ts'
import { DnsName, lowered } from './name.ts'
import { NAMES_INSIDE } from './rdata-names.ts'
import { DnsRecord } from './record.ts'

export interface DnssecKey {
  readonly owner: DnsName
  /** Data of the DNSKEY record. */
  readonly rdata: Buffer
  readonly algorithm: number
  readonly tag: number
  /** The SEP bit is set: it signs keys (RFC 4034 §2.1.1). */
  readonly isKeySigning: boolean
  readonly privateKey: KeyObject
}

/** RFC 4034 Appendix B. */
export function keyTagOf(rdata: Buffer): number {
  let sum = 0
  for (let at = 0; at < rdata.length; at++) sum += at % 2 === 0 ? rdata[at]! << 8 : rdata[at]!
  return (sum + (sum >>> 16)) & 0xffff
}

/** Hash of an algorithm; undefined for Ed25519, which has its own, and for those that are not known. */
const HASHES: Readonly<Record<number, string>> = {
  5: 'sha1',
  7: 'sha1',
  8: 'sha256',
  10: 'sha512',
  13: 'sha256',
  14: 'sha384',
}
const ED25519 = 15

export const isDnssecAlgorithm = (algorithm: number): boolean => algorithm in HASHES || algorithm === ED25519

/** The RRSIG over one set of records: same owner, type, class and TTL. Times are seconds since 1970. */
export function signatureOf(
  set: readonly DnsRecord[],
  key: DnssecKey,
  signer: DnsName,
  inceptionS: number,
  expirationS: number,
): DnsRecord {
  const [first] = set
  const { name, type, ttl } = first!
  const labels = name.labels - (name.isWildcard ? 1 : 0)
  const head = Buffer.alloc(18)
  head.writeUInt16BE(type, 0)
  head[2] = key.algorithm
  head[3] = labels
  head.writeUInt32BE(ttl, 4)
  head.writeUInt32BE(expirationS >>> 0, 8)
  head.writeUInt32BE(inceptionS >>> 0, 12)
  head.writeUInt16BE(key.tag, 16)
  const front = Buffer.concat([head, Buffer.from(signer.key, 'latin1')])
  const signature = signed(Buffer.concat([front, canonical(set)]), key)
  return new DnsRecord(name, TYPE.RRSIG, ttl, Buffer.concat([front, signature]), first!.class)
}

function signed(data: Buffer, { algorithm, privateKey }: DnssecKey): Buffer {
  // RFC 6605 §4: two numbers one behind the other.
  return sign(HASHES[algorithm] ?? null, data, { key: privateKey, dsaEncoding: 'ieee-p1363' })
}

/** RFC 4034 §6: in order, in lower case, each once. */
function canonical(set: readonly DnsRecord[]): Buffer {
  const sorted = set
    .map(({ type, rdata }) => canonicalRdata(type, rdata))
    .toSorted((a, b) => Buffer.compare(a, b))
  const { name, type, class: klass, ttl } = set[0]!
  const owner = Buffer.from(name.key, 'latin1')
  const pieces: Buffer[] = []
  for (const [index, rdata] of sorted.entries()) {
    if (index > 0 && rdata.equals(sorted[index - 1]!)) continue
    const head = Buffer.alloc(10)
    head.writeUInt16BE(type, 0)
    head.writeUInt16BE(klass, 2)
    head.writeUInt32BE(ttl, 4)
    head.writeUInt16BE(rdata.length, 8)
    pieces.push(owner, head, rdata)
  }
  return Buffer.concat(pieces)
}

/** Names in data of the types of RFC 4034 §6.2 are in lower case; those in NSEC and later types stay (RFC 6840 §5.1). */
function canonicalRdata(type: number, rdata: Buffer): Buffer {
  let at = 0
  let names = 0
  if (type === TYPE.NAPTR) {
    at = 4
    for (let strings = 3; strings > 0 && at < rdata.length; strings--) at += 1 + rdata[at]!
    names = 1
  } else {
    const inside = NAMES_INSIDE[type]
    if (!inside) return rdata
    at = inside.before
    names = inside.names
  }
  const from = at
  for (; names > 0 && at < rdata.length; names--) {
    while (at < rdata.length && rdata[at] !== 0) at += 1 + rdata[at]!
    at += 1
  }
  const text = rdata.toString('latin1')
  return Buffer.from(text.slice(0, from) + lowered(text.slice(from, at)) + text.slice(at), 'latin1')
}
