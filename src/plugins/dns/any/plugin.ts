/** `any`: the least answer to a question for all types. */
import type { DnsPlugin } from '../../../contract/dns.ts'
import { bare, onlyLine } from '../line-words.ts'
import { AnyHandler } from './handler.ts'

export default {
  name: 'any',
  setup(controller) {
    bare(controller, onlyLine(controller))
    return new AnyHandler()
  },
} satisfies DnsPlugin
