/** `chaos`: questions of the class CH about the server itself. */
import { VERSION } from '../../../base/version.ts'
import type { DnsPlugin } from '../../../contract/dns.ts'
import { noBlock, onlyLine } from '../line-words.ts'
import { ChaosHandler } from './handler.ts'

/** A string of a TXT record has no more. */
const TEXT_BYTES_MAX = 255

const cut = (text: string): string => Buffer.from(text).subarray(0, TEXT_BYTES_MAX).toString()

export default {
  name: 'chaos',
  setup(controller) {
    const line = onlyLine(controller)
    noBlock(controller, line)
    const [version, ...authors] = line.args.map(({ text }) => cut(text))
    return new ChaosHandler(version ?? `Orla-${VERSION}`, [...new Set(authors)].toSorted())
  },
} satisfies DnsPlugin
