/** `nsid`: the name of this server, for whoever asks for it. */
import { hostname } from 'node:os'
import type { DnsPlugin } from '../../../contract/dns.ts'
import { noBlock, onlyLine } from '../line-words.ts'
import { NsidHandler } from './handler.ts'

export default {
  name: 'nsid',
  setup(controller) {
    const line = onlyLine(controller)
    noBlock(controller, line)
    const said = line.args.map(({ text }) => text).join(' ')
    return new NsidHandler(Buffer.from(said || hostname() || 'localhost'))
  },
} satisfies DnsPlugin
