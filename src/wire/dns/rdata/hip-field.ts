/** A host's identity (RFC 8005): the lengths of what follows stand in front, so its data is one field. */
import type { RdataField } from './rdata-fields.ts'
import { base64Bytes, hexBytes } from './rdata-fields.ts'

export const hostIdentity: RdataField = {
  parse(words, into) {
    const algorithm = words.number('the algorithm', 255)
    const tag = hexBytes(words, words.take('the host identity tag').text, 'the host identity tag')
    if (tag.length === 0 || tag.length > 255)
      words.fail('the host identity tag is out of range: expected 1 to 255 bytes')
    const key = base64Bytes(words, words.take('the public key').text, 'the public key')
    into.number(tag.length, 1)
    into.number(algorithm, 1)
    into.number(key.length, 2)
    into.buffer(tag)
    into.buffer(key)
    while (!words.isAtEnd) into.bytes(words.name('a rendezvous server').wire)
  },
  text(from) {
    const tagBytes = from.number(1)
    const algorithm = from.number(1)
    const keyBytes = from.number(2)
    const parts = [
      String(algorithm),
      from.view(tagBytes).toString('hex').toUpperCase(),
      from.view(keyBytes).toString('base64'),
    ]
    while (from.left > 0) parts.push(from.name().toString())
    return parts.join(' ')
  },
}
