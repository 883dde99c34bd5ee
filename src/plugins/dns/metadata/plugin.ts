/** `metadata`: plugins are asked what they know of each query. Without it they are not. */
import type { DnsPlugin } from '../../../contract/dns.ts'
import { unknownProperty } from '../line-words.ts'

export default {
  name: 'metadata',
  setup(controller) {
    const [line, second] = controller.lines
    if (second) controller.fail(second, 'metadata stands twice: give all zones on one line')
    for (const inner of line?.block ?? []) unknownProperty(controller, inner, ['nothing: it has no block'])
    const zones = controller.zonesOf(line?.args ?? [])
    const { metadataProviders } = controller.settings
    if (line === undefined || line.args.length === 0) return
    // Those that tell are known once all plugins are set up.
    controller.onStart(() => {
      const tell = metadataProviders.splice(0)
      metadataProviders.push((query) => {
        for (let index = 0; index < zones.length; index++) {
          if (!query.qname.isWithin(zones[index]!)) continue
          for (const provide of tell) provide(query)
          return
        }
      })
    })
  },
} satisfies DnsPlugin
