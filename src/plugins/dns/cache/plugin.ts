/** `cache`: answers are kept for as long as they hold. */
import type { DnsPlugin } from '../../../contract/dns.ts'
import { CacheHandler } from './handler.ts'
import { readOptions } from './options.ts'

export default {
  name: 'cache',
  setup: (controller) => new CacheHandler(readOptions(controller), controller),
} satisfies DnsPlugin
