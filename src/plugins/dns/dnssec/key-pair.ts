/** Keys as `dnssec-keygen` writes them: `K….key` with the DNSKEY record, and `K….private`. */
import { createPrivateKey, type KeyObject, type webcrypto } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { TYPE } from '../../../wire/dns/codes.ts'
import { type DnssecKey, isDnssecAlgorithm, keyTagOf } from '../../../wire/dns/dnssec.ts'
import { parseRecord } from '../../../wire/dns/master-file.ts'

/** Throws an `Error` that says which file is wrong, and how. `base` is the path without `.key` and `.private`. */
export function readKeyPair(base: string): DnssecKey {
  const record = parseRecord(readFileSync(`${base}.key`, 'utf8'), { file: `${base}.key` })
  if (record.type !== TYPE.DNSKEY || record.rdata.length < 5)
    throw new Error(`${base}.key: expected a DNSKEY record`)
  const { rdata } = record
  const algorithm = rdata[3]!
  if (!isDnssecAlgorithm(algorithm))
    throw new Error(
      `${base}.key: the algorithm ${algorithm} is not known: expected such as ECDSAP256SHA256, ED25519 or RSASHA256`,
    )
  let privateKey: KeyObject
  try {
    privateKey = createPrivateKey({
      format: 'jwk',
      key: jwkOf(readFileSync(`${base}.private`, 'utf8'), algorithm, rdata.subarray(4)),
    })
  } catch (error) {
    throw new Error(`${base}.private: ${(error as Error).message}`, { cause: error })
  }
  return {
    owner: record.name,
    rdata,
    algorithm,
    tag: keyTagOf(rdata),
    isKeySigning: (rdata.readUInt16BE(0) & 1) !== 0,
    privateKey,
  }
}

function jwkOf(text: string, algorithm: number, publicKey: Buffer): webcrypto.JsonWebKey {
  const field = (name: string): string => {
    const found = new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(text)
    if (!found) throw new Error(`${name} is missing: expected a file as dnssec-keygen writes it`)
    return Buffer.from(found[1]!, 'base64').toString('base64url')
  }
  if (algorithm === 15)
    return { kty: 'OKP', crv: 'Ed25519', x: publicKey.toString('base64url'), d: field('PrivateKey') }
  if (algorithm >= 13) {
    const half = publicKey.length / 2
    return {
      kty: 'EC',
      crv: algorithm === 13 ? 'P-256' : 'P-384',
      x: publicKey.subarray(0, half).toString('base64url'),
      y: publicKey.subarray(half).toString('base64url'),
      d: field('PrivateKey'),
    }
  }
  return {
    kty: 'RSA',
    n: field('Modulus'),
    e: field('PublicExponent'),
    d: field('PrivateExponent'),
    p: field('Prime1'),
    q: field('Prime2'),
    dp: field('Exponent1'),
    dq: field('Exponent2'),
    qi: field('Coefficient'),
  }
}
