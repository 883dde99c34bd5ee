/** A TXT record of lines: each a string of its own, or several where it is longer than one can be. */
import { TYPE } from '../../../wire/dns/codes.ts'
import type { DnsName } from '../../../wire/dns/name.ts'
import { DnsRecord } from '../../../wire/dns/record.ts'

const STRING_BYTES_MAX = 255
/** A thousand nodes have reasons for more than a message has room for. */
const RECORD_BYTES_MAX = 16_384

export function textRecord(name: DnsName, lines: readonly string[]): DnsRecord {
  const strings: Buffer[] = []
  let bytes = 0
  for (const line of lines) {
    const text = Buffer.from(line)
    for (let from = 0; from < text.length && bytes < RECORD_BYTES_MAX; from += STRING_BYTES_MAX) {
      const part = text.subarray(from, from + STRING_BYTES_MAX)
      strings.push(Buffer.from([part.length]), part)
      bytes += 1 + part.length
    }
  }
  return new DnsRecord(name, TYPE.TXT, 0, Buffer.concat(strings))
}
