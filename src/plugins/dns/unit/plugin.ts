/** `unit`: units that are deployed to the node answer queries, or have something else asked in their place. */
import type { DnsPlugin } from '../../../contract/dns.ts'
import { UnitHandler } from './handler.ts'

/** As a deploy takes them. */
const UNIT_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/

const plugin: DnsPlugin = {
  name: 'unit',
  setup(controller) {
    const { lines, host } = controller
    const [line, second] = lines
    if (second) controller.fail(second, 'it stands twice in one server block: name all units on one line')
    if (line!.block) controller.fail(line!, 'it takes no block: expected `unit [NAME…]`')
    const names = new Set<string>()
    for (const word of line!.args) {
      if (!UNIT_NAME.test(word.text))
        controller.fail(
          word,
          `"${word.text}" is no name of a unit: expected lower-case letters, digits and dashes`,
        )
      if (names.has(word.text)) controller.fail(word, `"${word.text}" is named twice`)
      names.add(word.text)
    }
    const { units } = host
    if (!units)
      return controller.fail(
        line!,
        'there are no units here: they are deployed to a node; start one with `dns: { corefile: "Corefile" }` in its configuration and `orla start`',
      )
    return new UnitHandler(units, names.size === 0 ? undefined : names)
  },
}

export default plugin
