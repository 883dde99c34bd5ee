/** `forward`: queries are asked of other servers. */
import type { DnsPlugin } from '../../../contract/dns.ts'
import { Forwarder, UPSTREAM_LABEL } from './forwarder.ts'
import { ForwardHandler } from './handler.ts'
import { readOptions } from './options.ts'

export default {
  name: 'forward',
  setup: (controller) => {
    // All are read before any of them opens something.
    const options = controller.lines.map((line) => readOptions(controller, line))
    const forwarders = options.map((one) => new Forwarder(one, controller))
    controller.settings.metadataProviders.push((query) => void query.metadata.set(UPSTREAM_LABEL, () => ''))
    controller.onShutdown(() => {
      for (const forwarder of forwarders) forwarder.close()
    })
    return new ForwardHandler(forwarders)
  },
} satisfies DnsPlugin
