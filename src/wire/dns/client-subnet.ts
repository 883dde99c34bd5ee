/** EDNS Client Subnet (RFC 7871): for whom a resolver asks, and how much of that an answer depends on. */
import { type IpAddress, ipFromWords } from '../../base/ip-address.ts'
import type { IpPrefix } from '../../base/ip-prefix.ts'
import { OPTION } from './codes.ts'
import type { Edns, EdnsOption } from './edns.ts'

export interface ClientSubnet extends IpPrefix {
  /** As it came: its first bytes are sent back (§7.2.1). */
  readonly data: Buffer
}

/**
 * The subnet that a question names. `malformed` where the option is not as §6 has it: a family that is neither, more or fewer bytes than the length says, bits
 * behind it, a scope in a question; such a question is answered with FORMERR. Undefined without the option.
 */
export function clientSubnetOf(edns: Edns | undefined): ClientSubnet | 'malformed' | undefined {
  if (edns === undefined) return undefined
  const { options } = edns
  for (let index = 0; index < options.length; index++) {
    const option = options[index]!
    if (option.code === OPTION.CLIENT_SUBNET) return readClientSubnet(option.data)
  }
  return undefined
}

function readClientSubnet(data: Buffer): ClientSubnet | 'malformed' {
  if (data.length < 4) return 'malformed'
  const number = (data[0]! << 8) | data[1]!
  const length = data[2]!
  // No family at all, as `dig +subnet=0` has it: no address is told.
  const isNone = number === 0 && length === 0
  if (!isNone && number !== 1 && number !== 2) return 'malformed'
  const family = number === 2 ? 6 : 4
  if (length > (family === 4 ? 32 : 128) || data[3] !== 0) return 'malformed'
  if (data.length !== 4 + ((length + 7) >> 3)) return 'malformed'
  if ((length & 7) !== 0 && (data[data.length - 1]! & (0xff >> (length & 7))) !== 0) return 'malformed'
  const word = (from: number): number =>
    ((at(data, from) << 24) | (at(data, from + 1) << 16) | (at(data, from + 2) << 8) | at(data, from + 3)) >>>
    0
  const words: IpAddress['words'] = family === 4 ? [0, 0, 0, word(4)] : [word(4), word(8), word(12), word(16)]
  return { family, words, length, data }
}

const at = (data: Buffer, index: number): number => (index < data.length ? data[index]! : 0)

/** The address that stands for a subnet: its first one. An IPv4 address within an IPv6 one is that IPv4 address. */
export const addressOf = ({ family, words }: ClientSubnet): IpAddress =>
  family === 4 ? { family, words } : ipFromWords(...words)

/** The option of an answer: the same family, length and address, and the bits that the answer depends on. */
export function clientSubnetOption({ data }: ClientSubnet, scope: number): EdnsOption {
  const echoed = Buffer.from(data)
  echoed[3] = scope
  return { code: OPTION.CLIENT_SUBNET, data: echoed }
}

/** A question's option, from a prefix. */
export function clientSubnetFor({ family, words, length }: IpPrefix): EdnsOption {
  const bytes = Buffer.alloc(4 + 16)
  bytes.writeUInt16BE(family === 4 ? 1 : 2, 0)
  bytes[2] = length
  for (const [index, word] of (family === 4 ? words.slice(3) : words).entries())
    bytes.writeUInt32BE(word, 4 + index * 4)
  return { code: OPTION.CLIENT_SUBNET, data: bytes.subarray(0, 4 + ((length + 7) >> 3)) }
}
