/** `local`: names and addresses that mean the machine itself. */
import type { DnsPlugin } from '../../../contract/dns.ts'
import { bare, onlyLine } from '../line-words.ts'
import { LocalHandler } from './handler.ts'

export default {
  name: 'local',
  setup(controller) {
    bare(controller, onlyLine(controller))
    const asked = controller.metrics.counter(
      'coredns_local_localhost_requests_total',
      'Counter of localhost.<domain> requests.',
    )
    return new LocalHandler(asked, controller.log)
  },
} satisfies DnsPlugin
