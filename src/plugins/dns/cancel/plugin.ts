/** `cancel`: how long a query may take. */
import type { DnsPlugin } from '../../../contract/dns.ts'
import { parseGoDuration } from '../../../base/go-duration.ts'
import { atMost, noBlock, onlyLine } from '../line-words.ts'
import { CancelHandler } from './handler.ts'

/** The time after which most clients ask again. */
const USUAL_MS = 5001

export default {
  name: 'cancel',
  setup(controller) {
    const line = onlyLine(controller)
    atMost(controller, line, 1)
    noBlock(controller, line)
    const [word] = line.args
    if (!word) return new CancelHandler(USUAL_MS)
    const ms = parseGoDuration(word.text)
    if (ms === undefined)
      return controller.fail(word, `'${word.text}' is no time: expected one such as 5s or 500ms`)
    if (ms <= 0) controller.fail(word, `invalid timeout: ${word.text}: expected more than nothing`)
    return new CancelHandler(ms)
  },
} satisfies DnsPlugin
