/** `bufsize`: the most bytes of an answer over UDP. */
import type { DnsPlugin } from '../../../contract/dns.ts'
import { atMost, noBlock, onlyLine } from '../line-words.ts'
import { BufsizeHandler } from './handler.ts'

const USUAL_BYTES = 1232
const BYTES_MIN = 512
const BYTES_MAX = 4096

export default {
  name: 'bufsize',
  setup(controller) {
    const line = onlyLine(controller)
    atMost(controller, line, 1)
    noBlock(controller, line)
    const [word] = line.args
    if (!word) return new BufsizeHandler(USUAL_BYTES)
    const bytes = /^\d+$/.test(word.text) ? Number(word.text) : Number.NaN
    if (!(bytes >= BYTES_MIN && bytes <= BYTES_MAX))
      controller.fail(word, `the size must be within ${BYTES_MIN} - ${BYTES_MAX} bytes: got '${word.text}'`)
    return new BufsizeHandler(bytes)
  },
} satisfies DnsPlugin
