/** Looks at the Corefile every so often, and has it read again where it changed. The plane does it; this only says how often. */
import { parseGoDuration } from '../../../base/go-duration.ts'
import type { CorefileWord, DnsController, DnsPlugin } from '../../../contract/dns.ts'
import { atMost } from '../line-words.ts'

const EVERY_MS = 30_000
const EVERY_MIN_MS = 2000
const JITTER_MS = 15_000
const JITTER_MIN_MS = 1000

const plugin: DnsPlugin = {
  name: 'reload',
  setup(controller) {
    const { lines, settings } = controller
    const [line, again] = lines
    if (again) controller.fail(again, 'reload stands there twice: expected once in a server block')
    atMost(controller, line!, 2)
    const [every, jitter] = line!.args
    const everyMs = timeOf(controller, every, 'interval', EVERY_MS, EVERY_MIN_MS)
    const jitterMs = timeOf(controller, jitter, 'jitter', JITTER_MS, JITTER_MIN_MS)
    settings.reload = { everyMs, jitterMs: Math.min(jitterMs, everyMs / 2) }
  },
}
export default plugin

function timeOf(
  controller: DnsController,
  word: CorefileWord | undefined,
  what: string,
  usualMs: number,
  minMs: number,
): number {
  if (!word) return usualMs
  const ms = parseGoDuration(word.text)
  if (ms === undefined)
    return controller.fail(word, `${what} ${word.text} is no time: expected one such as 10s`)
  if (ms < minMs) return controller.fail(word, `${what} value must be greater or equal to ${minMs / 1000}s`)
  return ms
}
