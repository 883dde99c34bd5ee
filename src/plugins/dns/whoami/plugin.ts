/** `whoami`: tells a client the address, the port and the transport that it asked from. */
import type { DnsPlugin } from '../../../contract/dns.ts'
import { bare, onlyLine } from '../line-words.ts'
import { WhoamiHandler } from './handler.ts'

export default {
  name: 'whoami',
  setup(controller) {
    bare(controller, onlyLine(controller))
    return new WhoamiHandler()
  },
} satisfies DnsPlugin
