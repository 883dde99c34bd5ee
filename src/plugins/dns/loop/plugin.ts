/** `loop`: looks once, after the start, whether questions that are forwarded come back. */
import type { DnsPlugin } from '../../../contract/dns.ts'
import { LoopHandler } from './handler.ts'

export default {
  name: 'loop',
  setup: (controller) => {
    const [line, second] = controller.lines
    if (second) controller.fail(second, 'this plugin can only be used once per Server Block')
    const [argument] = line!.args
    if (argument)
      controller.fail(
        argument,
        `Wrong argument count or unexpected line ending after '${argument.text}': loop takes none`,
      )
    const [property] = line!.block ?? []
    if (property) controller.fail(property, `unknown property '${property.name.text}': loop takes none`)
    return new LoopHandler(controller)
  },
} satisfies DnsPlugin
