/** `debug`: messages for whoever looks for a fault are logged, too. */
import type { DnsPlugin } from '../../../contract/dns.ts'
import { bare, onlyLine } from '../line-words.ts'

export default {
  name: 'debug',
  setup(controller) {
    bare(controller, onlyLine(controller))
    controller.settings.isDebug = true
  },
} satisfies DnsPlugin
