/** `minimal`: answers without what nobody asked for. */
import type { DnsPlugin } from '../../../contract/dns.ts'
import { bare, onlyLine } from '../line-words.ts'
import { MinimalHandler } from './handler.ts'

export default {
  name: 'minimal',
  setup(controller) {
    bare(controller, onlyLine(controller))
    return new MinimalHandler()
  },
} satisfies DnsPlugin
