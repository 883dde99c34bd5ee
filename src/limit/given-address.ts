/** An address as somebody gives it: a text, or what was read of one. */
import type { IpAddress } from '../base/ip-address.ts'
import { readIp } from '../base/ip-prefix.ts'
import { told } from './algorithms/plan.ts'
import { isGiven } from './limiter-options.ts'

/** @throws TypeError or RangeError that says what would be right. */
export function addressOf(address: string | IpAddress): IpAddress {
  if (typeof address === 'string') {
    const ip = readIp(address)
    if (typeof ip === 'string') throw new RangeError(`address: ${ip}`)
    return ip
  }
  const isAddress = isGiven(address) && Array.isArray(address.words) && address.words.length === 4
  if (!isAddress || (address.family !== 4 && address.family !== 6))
    throw new TypeError(
      `address: expected a text such as "192.0.2.7", or what parseIp gives, not ${told(address)}`,
    )
  return address
}
