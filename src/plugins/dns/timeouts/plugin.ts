/** `timeouts`: how long connections over TCP, TLS and HTTPS may take. */
import { parseGoDuration } from '../../../base/go-duration.ts'
import type { CorefileLine, DnsController, DnsPlugin } from '../../../contract/dns.ts'
import { atMost, onlyLine } from '../line-words.ts'

const KEYS = { read: 'readMs', write: 'writeMs', idle: 'idleMs' } as const
const MS_MIN = 1000
const MS_MAX = 24 * 3_600_000

export default {
  name: 'timeouts',
  setup(controller) {
    const line = onlyLine(controller)
    atMost(controller, line, 0)
    if (!line.block || line.block.length === 0)
      controller.fail(line, 'block with no timeouts specified: expected lines such as: read 5s')
    for (const property of line.block!) {
      const { text } = property.name
      if (!Object.hasOwn(KEYS, text))
        controller.fail(property, `unknown option: '${text}': expected read, write or idle`)
      controller.settings.timeouts[KEYS[text as keyof typeof KEYS]] = timeOf(controller, property)
    }
  },
} satisfies DnsPlugin

/** A number alone is seconds. */
function timeOf(controller: DnsController, line: CorefileLine): number {
  const [word] = line.args
  const { text } = line.name
  if (!word) return controller.fail(line, `${text} needs a time, such as 10s`)
  atMost(controller, line, 1)
  const ms = /^\d+$/.test(word.text) ? Number(word.text) * 1000 : parseGoDuration(word.text)
  if (ms === undefined)
    return controller.fail(word, `failed to parse duration: '${word.text}': expected one such as 10s or 1m`)
  if (ms < MS_MIN || ms > MS_MAX)
    controller.fail(word, `timeout ${text} needs to be between 1s and 24h: got ${word.text}`)
  return ms
}
