/** `edge`: clients are sent to the nodes that serve them best. */
import type { DnsPlugin } from '../../../contract/dns.ts'
import { edgeConfigOf } from './config.ts'
import { EdgeFigures } from './figures.ts'
import { EdgeHandler } from './handler.ts'
import { Steerer } from './steerer.ts'

export default {
  name: 'edge',
  async setup(controller) {
    const steered = []
    const taken = new Map<string, string>()
    for (const line of controller.lines) {
      const config = edgeConfigOf(controller, line)
      for (const name of config.names) {
        if (taken.has(name.key)) controller.fail(line, `${name.toString()} is steered twice`)
        taken.set(name.key, name.toString())
      }
      const figures = new EdgeFigures(controller, config.names[0]!.toString())
      const steerer = await Steerer.of(config, controller, figures)
      steered.push({ config, steerer, figures })
      controller.onStart(() => steerer.start())
      controller.onReady(() => steerer.isReady)
      controller.onShutdown(() => steerer.stop())
      controller.offer('steering', steerer)
    }
    return new EdgeHandler(steered, controller)
  },
} satisfies DnsPlugin
