/** Messages signed with a shared secret (RFC 8945): what a TSIG record says, whether it holds, and one for the answer. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { CLASS, RCODE, TYPE } from './codes.ts'
import { DnsMalformed } from './malformed.ts'
import { HEADER_BYTES, MESSAGE_BYTES_MAX } from './message.ts'
import { DnsName, nameEnd, readName } from './name.ts'
import { RdataReader } from './rdata/rdata-bytes.ts'

/** BADSIG has the number of BADVERS (RFC 8945 §3). */
export const BADSIG = 16

/** Name of the hash and its bytes, by the key of the algorithm's name. */
const ALGORITHMS: ReadonlyMap<string, readonly [hash: string, bytes: number]> = new Map(
  (
    [
      ['hmac-md5.sig-alg.reg.int', 'md5', 16],
      ['hmac-sha1', 'sha1', 20],
      ['hmac-sha224', 'sha224', 28],
      ['hmac-sha256', 'sha256', 32],
      ['hmac-sha384', 'sha384', 48],
      ['hmac-sha512', 'sha512', 64],
    ] as const
  ).map(([name, hash, bytes]) => [DnsName.parse(name).key, [hash, bytes]]),
)

/** How far clocks may be apart, as we say it (§10). */
const FUDGE_S = 300
/** The least that a MAC may be cut to (§5.2.2.1). */
const MAC_BYTES_MIN = 10

/** Whether messages can be signed with it: `hmac-sha256`, with or without a dot at the end. */
export const isTsigAlgorithm = (name: DnsName): boolean => ALGORITHMS.has(name.key)

export interface Tsig {
  readonly key: DnsName
  readonly algorithm: DnsName
  /** Seconds since 1970. */
  readonly timeS: number
  readonly fudgeS: number
  readonly mac: Buffer
  readonly originalId: number
  readonly error: number
  readonly other: Buffer
}

/** A TSIG record and the bytes of the message in front of it. */
export interface FoundTsig {
  readonly tsig: Tsig
  /** What was signed: the message without the record, with the id that it had at first. */
  readonly signed: Buffer
}

/** Undefined where the message has none. Throws `DnsMalformed`. */
export function findTsig(bytes: Buffer): FoundTsig | undefined {
  const additionals = bytes.length < HEADER_BYTES ? 0 : bytes.readUInt16BE(10)
  if (additionals === 0) return undefined
  const at = lastRecordAt(bytes)
  const key = readName(bytes, at)
  const dataAt = nameEnd.at + 10
  if (dataAt > bytes.length) throw new DnsMalformed('a record is cut')
  if (bytes.readUInt16BE(dataAt - 10) !== TYPE.TSIG) return undefined
  if (bytes.readUInt16BE(dataAt - 8) !== CLASS.ANY || bytes.readUInt32BE(dataAt - 6) !== 0)
    throw new DnsMalformed('a TSIG record has a class but ANY, or a TTL')
  const from = new RdataReader(bytes.subarray(dataAt))
  const algorithm = from.name()
  const timeS = from.number(6)
  const fudgeS = from.number(2)
  const mac = Buffer.from(from.view(from.number(2)))
  const originalId = from.number(2)
  const error = from.number(2)
  const other = Buffer.from(from.view(from.number(2)))
  if (from.left > 0) throw new DnsMalformed('something stands behind the last field of a TSIG record')
  const signed = Buffer.from(bytes.subarray(0, at))
  signed.writeUInt16BE(originalId, 0)
  signed.writeUInt16BE(additionals - 1, 10)
  return { tsig: { key, algorithm, timeS, fudgeS, mac, originalId, error, other }, signed }
}

function lastRecordAt(bytes: Buffer): number {
  let at = HEADER_BYTES
  for (let left = bytes.readUInt16BE(4); left > 0; left--) {
    readName(bytes, at)
    at = nameEnd.at + 4
  }
  let last = at
  const records = bytes.readUInt16BE(6) + bytes.readUInt16BE(8) + bytes.readUInt16BE(10)
  for (let left = records; left > 0; left--) {
    last = at
    readName(bytes, at)
    if (nameEnd.at + 10 > bytes.length) throw new DnsMalformed('a record is cut')
    at = nameEnd.at + 10 + bytes.readUInt16BE(nameEnd.at + 8)
  }
  if (at !== bytes.length) throw new DnsMalformed('the last record is cut, or something stands behind it')
  return last
}

/** A shared secret. With an algorithm, it is used with that one alone. */
export interface TsigSecret {
  readonly secret: Buffer
  readonly algorithm?: DnsName
}

/**
 * Whether a signature holds: 0, or BADKEY, BADSIG, BADTIME in the order of §5.2, or FORMERR for a MAC of a length that none has. `priorMac` is that of
 * the question where an answer is verified.
 */
export function tsigError(
  { tsig, signed }: FoundTsig,
  secret: TsigSecret | undefined,
  nowS: number,
  priorMac?: Buffer,
): number {
  const known = ALGORITHMS.get(tsig.algorithm.key)
  if (!secret || !known || (secret.algorithm && !secret.algorithm.equals(tsig.algorithm))) return RCODE.BADKEY
  const { mac } = tsig
  if (mac.length > known[1] || mac.length < Math.max(MAC_BYTES_MIN, known[1] / 2)) return RCODE.FORMERR
  const whole = macOf(secret.secret, tsig, [...priorPart(priorMac), signed, variables(tsig)])
  if (!timingSafeEqual(whole.subarray(0, mac.length), mac)) return BADSIG
  return Math.abs(nowS - tsig.timeS) > tsig.fudgeS ? RCODE.BADTIME : 0
}

/** Signs messages with one key: a question, an answer to a signed one, an answer of several messages. */
export class TsigSigner {
  readonly #secret: Buffer | undefined
  readonly #nowS: () => number
  readonly #base: Omit<Tsig, 'mac' | 'originalId'>
  #prior: Buffer | undefined
  #isFirst = true

  /**
   * `asked` is the signature of the question that is answered, with `error` as it was found: BADKEY and BADSIG are said without a MAC (§5.3.2).
   */
  constructor(
    key: { readonly name: DnsName; readonly algorithm: DnsName; readonly secret: Buffer | undefined },
    nowS: () => number,
    asked?: { readonly tsig: Tsig; readonly error: number },
  ) {
    const error = asked?.error ?? 0
    this.#secret = error === RCODE.BADKEY || error === BADSIG ? undefined : key.secret
    this.#nowS = nowS
    this.#prior = asked?.tsig.mac
    const other = Buffer.alloc(error === RCODE.BADTIME ? 6 : 0)
    if (other.length > 0) other.writeUIntBE(Math.floor(nowS()), 0, 6)
    // An answer to a late question has the question's time (§5.2.3).
    const timeS = error === RCODE.BADTIME ? asked!.tsig.timeS : 0
    this.#base = { key: key.name, algorithm: key.algorithm, timeS, fudgeS: FUDGE_S, error, other }
  }

  /** Bytes that a message grows by. */
  get bytes(): number {
    const { key, algorithm, other } = this.#base
    const macBytes = this.#secret ? (ALGORITHMS.get(algorithm.key)?.[1] ?? 0) : 0
    return key.wire.length + 10 + algorithm.wire.length + 16 + macBytes + other.length
  }

  /** The MAC of what was signed last: answers are verified with it. */
  get mac(): Buffer | undefined {
    return this.#prior
  }

  /** The message with its signature. Throws where it is too long for that. */
  sign(message: Buffer): Buffer {
    const timeS = this.#base.timeS || Math.floor(this.#nowS())
    const unsigned = { ...this.#base, timeS, originalId: message.readUInt16BE(0), mac: Buffer.alloc(0) }
    if (message.length + this.bytes > MESSAGE_BYTES_MAX)
      throw new RangeError('a message is too long to be signed')
    const last = this.#isFirst ? variables(unsigned) : timers(unsigned)
    const mac = this.#secret
      ? macOf(this.#secret, unsigned, [...priorPart(this.#prior), message, last])
      : unsigned.mac
    this.#prior = mac
    this.#isFirst = false
    const signed = Buffer.concat([message, recordOf({ ...unsigned, mac })])
    signed.writeUInt16BE(signed.readUInt16BE(10) + 1, 10)
    return signed
  }
}

const macOf = (
  secret: Buffer,
  { algorithm }: { readonly algorithm: DnsName },
  parts: readonly Buffer[],
): Buffer => {
  const hmac = createHmac(ALGORITHMS.get(algorithm.key)![0], secret)
  for (const part of parts) hmac.update(part)
  return hmac.digest()
}

/** A MAC that what follows is bound to, with its length (§4.3.1). */
const priorPart = (mac: Buffer | undefined): Buffer[] => (mac ? [number16(mac.length), mac] : [])

const number16 = (value: number): Buffer => Buffer.of(value >> 8, value & 0xff)

/** §4.3.3. */
const variables = (tsig: Tsig): Buffer =>
  Buffer.concat([
    Buffer.from(`${tsig.key.key}\0\xff\0\0\0\0${tsig.algorithm.key}`, 'latin1'),
    timers(tsig),
    number16(tsig.error),
    number16(tsig.other.length),
    tsig.other,
  ])

/** Of messages behind the first one (§5.3.1). */
function timers({ timeS, fudgeS }: Tsig): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUIntBE(timeS, 0, 6)
  bytes.writeUInt16BE(fudgeS, 6)
  return bytes
}

function recordOf(tsig: Tsig): Buffer {
  const rdata = Buffer.concat([
    Buffer.from(tsig.algorithm.wire, 'latin1'),
    timers(tsig),
    number16(tsig.mac.length),
    tsig.mac,
    number16(tsig.originalId),
    number16(tsig.error),
    number16(tsig.other.length),
    tsig.other,
  ])
  const head = Buffer.from([0, TYPE.TSIG, 0, CLASS.ANY, 0, 0, 0, 0])
  return Buffer.concat([Buffer.from(tsig.key.wire, 'latin1'), head, number16(rdata.length), rdata])
}
