/** Prefixes of addresses (RFC 3123): `1:192.0.2.0/24 !1:192.0.2.64/28`. */
import { formatIp, parseIp } from '../../../base/ip-address.ts'
import { DnsMalformed } from '../malformed.ts'
import type { RdataField } from './rdata-fields.ts'

export const addressPrefixes: RdataField = {
  parse(words, into) {
    while (!words.isAtEnd) {
      const { text } = words.take('a prefix')
      const [, not, family, address, length] = /^(!?)([12]):([\d.:a-f]+)\/(\d{1,3})$/i.exec(text) ?? []
      const ip = address === undefined ? undefined : parseIp(address)
      const bytes = family === '1' ? 4 : 16
      if (!ip || ip.family !== (bytes === 4 ? 4 : 6) || Number(length) > bytes * 8)
        return words.fail(`"${text}" is no prefix: expected one such as 1:192.0.2.0/24 or !2:2001:db8::/32`)
      const whole = Buffer.alloc(16)
      for (const [index, word] of ip.words.entries()) whole.writeUInt32BE(word, index * 4)
      let end = 16
      // Zeros at the end are not sent (§4).
      while (end > 16 - bytes && whole[end - 1] === 0) end -= 1
      const sent = whole.subarray(16 - bytes, end)
      into.number(Number(family), 2)
      into.number(Number(length), 1)
      into.number((not === '!' ? 0x80 : 0) | sent.length, 1)
      into.buffer(sent)
    }
  },
  text(from) {
    const prefixes: string[] = []
    while (from.left > 0) {
      const family = from.number(2)
      const length = from.number(1)
      const flags = from.number(1)
      const bytes = family === 1 ? 4 : 16
      const sent = from.view(flags & 0x7f)
      if (family < 1 || family > 2 || length > bytes * 8 || sent.length > bytes)
        throw new DnsMalformed('a prefix of APL is of no known family')
      const whole = Buffer.alloc(16)
      whole.set(sent, 16 - bytes)
      const word = (at: number) => whole.readUInt32BE(at)
      const address = formatIp({ family: bytes === 4 ? 4 : 6, words: [word(0), word(4), word(8), word(12)] })
      prefixes.push(`${flags & 0x80 ? '!' : ''}${family}:${address}/${length}`)
    }
    return prefixes.join(' ')
  },
}
