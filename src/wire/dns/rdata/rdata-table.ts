/** Which fields the data of each type has, in their order. A type that is not here is written as RFC 3597 has it. */
import { TYPE } from '../codes.ts'
import { addressPrefixes } from './apl-field.ts'
import { hostIdentity } from './hip-field.ts'
import { location } from './loc-field.ts'
import {
  base32Hex,
  base64,
  groups,
  hex,
  ipv4,
  ipv6,
  longString,
  name,
  number,
  type RdataField,
  seconds,
  shortHex,
  string,
  strings,
  tag,
  time,
  type,
  typeBitmap,
} from './rdata-fields.ts'
import { svcParams } from './svc-params.ts'

/** Algorithms of DNSSEC that may be written by name (RFC 4034 Appendix A.1, and IANA's registry). */
const ALGORITHMS = {
  RSAMD5: 1,
  DH: 2,
  DSA: 3,
  RSASHA1: 5,
  'DSA-NSEC3-SHA1': 6,
  NSEC3DSA: 6,
  'RSASHA1-NSEC3-SHA1': 7,
  NSEC3RSASHA1: 7,
  RSASHA256: 8,
  RSASHA512: 10,
  'ECC-GOST': 12,
  ECDSAP256SHA256: 13,
  ECDSAP384SHA384: 14,
  ED25519: 15,
  ED448: 16,
  INDIRECT: 252,
  PRIVATEDNS: 253,
  PRIVATEOID: 254,
}
/** RFC 4398 §2.1. */
const CERTIFICATES = {
  PKIX: 1,
  SPKI: 2,
  PGP: 3,
  IPKIX: 4,
  ISPKI: 5,
  IPGP: 6,
  ACPKIX: 7,
  IACPKIX: 8,
  URI: 253,
  OID: 254,
}

const algorithm = number('the algorithm', 1, ALGORITHMS)
const preference = number('the preference', 2)
const target = [name('the name')]
const preferred = [preference, name('the name')]
const key = [number('the flags', 2), number('the protocol', 1), algorithm, base64('the key')]
const digest = [number('the key tag', 2), algorithm, number('the digest type', 1), hex('the digest')]
const signature = [
  type,
  algorithm,
  number('the number of labels', 1),
  seconds('the original TTL'),
  time('the expiration'),
  time('the inception'),
  number('the key tag', 2),
  name("the signer's name"),
  base64('the signature'),
]
const certificate = [
  number('the usage', 1),
  number('the selector', 1),
  number('the matching type', 1),
  hex('the certificate data'),
]
const service = [number('the priority', 2), name('the target'), svcParams]
const hashing = [
  number('the hash algorithm', 1),
  number('the flags', 1),
  number('the number of iterations', 2),
  shortHex('the salt'),
]
const identifier = groups('the identifier', 4, 2, ':')

const FIELDS: readonly (readonly [type: number, fields: readonly RdataField[]])[] = [
  [TYPE.A, [ipv4]],
  [TYPE.NS, target],
  [TYPE.MD, target],
  [TYPE.MF, target],
  [TYPE.CNAME, target],
  [
    TYPE.SOA,
    [
      name('the primary server'),
      name('the mailbox'),
      number('the serial', 4),
      seconds('the refresh time'),
      seconds('the retry time'),
      seconds('the expire time'),
      seconds('the minimum'),
    ],
  ],
  [TYPE.MB, target],
  [TYPE.MG, target],
  [TYPE.MR, target],
  [TYPE.PTR, target],
  [TYPE.HINFO, [string('the CPU'), string('the operating system')]],
  [TYPE.MINFO, [name('the mailbox'), name('the mailbox for errors')]],
  [TYPE.MX, preferred],
  [TYPE.TXT, [strings]],
  [TYPE.RP, [name('the mailbox'), name('the name of the text')]],
  [TYPE.AFSDB, [number('the subtype', 2), name('the host')]],
  [TYPE.X25, [string('the address')]],
  [TYPE.ISDN, [strings]],
  [TYPE.RT, preferred],
  [TYPE.SIG, signature],
  [TYPE.KEY, key],
  [TYPE.PX, [preference, name('the RFC 822 name'), name('the X.400 name')]],
  [TYPE.GPOS, [string('the longitude'), string('the latitude'), string('the altitude')]],
  [TYPE.AAAA, [ipv6]],
  [TYPE.LOC, [location]],
  [TYPE.SRV, [number('the priority', 2), number('the weight', 2), number('the port', 2), name('the target')]],
  [
    TYPE.NAPTR,
    [
      number('the order', 2),
      preference,
      string('the flags'),
      string('the services'),
      string('the regular expression'),
      name('the replacement'),
    ],
  ],
  [TYPE.KX, preferred],
  [
    TYPE.CERT,
    [
      number('the certificate type', 2, CERTIFICATES),
      number('the key tag', 2),
      algorithm,
      base64('the certificate'),
    ],
  ],
  [TYPE.DNAME, target],
  [TYPE.APL, [addressPrefixes]],
  [TYPE.DS, digest],
  [TYPE.SSHFP, [number('the algorithm', 1), number('the fingerprint type', 1), hex('the fingerprint')]],
  [TYPE.RRSIG, signature],
  [TYPE.NSEC, [name('the next name'), typeBitmap]],
  [TYPE.DNSKEY, key],
  [TYPE.DHCID, [base64('the digest')]],
  [TYPE.NSEC3, [...hashing, base32Hex('the next hash'), typeBitmap]],
  [TYPE.NSEC3PARAM, hashing],
  [TYPE.TLSA, certificate],
  [TYPE.SMIMEA, certificate],
  [TYPE.HIP, [hostIdentity]],
  [TYPE.CDS, digest],
  [TYPE.CDNSKEY, key],
  [TYPE.OPENPGPKEY, [base64('the key')]],
  [TYPE.CSYNC, [number('the serial', 4), number('the flags', 2), typeBitmap]],
  [
    TYPE.ZONEMD,
    [number('the serial', 4), number('the scheme', 1), number('the hash algorithm', 1), hex('the digest')],
  ],
  [TYPE.SVCB, service],
  [TYPE.HTTPS, service],
  [TYPE.SPF, [strings]],
  [TYPE.NID, [preference, identifier]],
  [TYPE.L32, [preference, ipv4]],
  [TYPE.L64, [preference, identifier]],
  [TYPE.LP, preferred],
  [TYPE.EUI48, [groups('the address', 6, 1, '-')]],
  [TYPE.EUI64, [groups('the address', 8, 1, '-')]],
  [TYPE.URI, [number('the priority', 2), number('the weight', 2), longString('the target')]],
  [TYPE.CAA, [number('the flags', 1), tag('the tag'), longString('the value')]],
]

const BY_TYPE: ReadonlyMap<number, readonly RdataField[]> = new Map(FIELDS)

/** Undefined for a type whose data has no text of its own. */
export const fieldsOf = (type: number): readonly RdataField[] | undefined => BY_TYPE.get(type)
