/** `header`: flags of questions and answers, set and cleared. */
import type { CorefileLine, DnsController, DnsPlugin } from '../../../contract/dns.ts'
import { atMost } from '../line-words.ts'
import { type FlagChange, HeaderHandler, isFlag } from './handler.ts'

export default {
  name: 'header',
  setup(controller) {
    const query: FlagChange[] = []
    const response: FlagChange[] = []
    for (const line of controller.lines) {
      atMost(controller, line, 0)
      if (!line.block || line.block.length === 0)
        controller.fail(line, 'header needs a block with lines such as: response set ra')
      for (const rule of line.block!) {
        const [selector, changes] = changesOf(controller, rule)
        ;(selector === 'query' ? query : response).push(...changes)
      }
    }
    return new HeaderHandler(query, response)
  },
} satisfies DnsPlugin

function changesOf(
  controller: DnsController,
  { name, args }: CorefileLine,
): readonly [selector: 'query' | 'response', changes: FlagChange[]] {
  const selector = name.text.toLowerCase()
  // Older Corefiles begin with the action and mean answers.
  const isOld = selector === 'set' || selector === 'clear'
  if (!isOld && selector !== 'query' && selector !== 'response')
    controller.fail(name, `invalid selector=${name.text} should be query or response`)
  const [action = isOld ? name : undefined, ...flags] = isOld ? [name, ...args] : args
  if (flags.length === 0) controller.fail(name, 'invalid length for flags, at least one should be provided')
  const said = action!.text.toLowerCase()
  if (said !== 'set' && said !== 'clear')
    controller.fail(action!, `unknown flag action=${action!.text}, should be set or clear`)
  const changes = flags.map((word): FlagChange => {
    const flag = word.text.toLowerCase()
    if (!isFlag(flag))
      return controller.fail(word, `unknown/unsupported flag=${word.text}, should be aa, ra or rd`)
    return { flag, value: said === 'set' }
  })
  return [selector === 'query' ? 'query' : 'response', changes]
}
