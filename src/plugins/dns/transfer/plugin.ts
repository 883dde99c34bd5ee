/** `transfer`: gives zones of other plugins whole to other servers, and tells them of changes. */
import { systemTimers } from '../../../base/timers.ts'
import { covers, type IpPrefix, prefixOf, readPrefix } from '../../../base/ip-prefix.ts'
import { parseIp } from '../../../base/ip-address.ts'
import type { CorefileLine, DnsController, DnsPlugin } from '../../../contract/dns.ts'
import type { ServerAddress } from '../../../zone/tcp-link.ts'
import { serverOf, unknownProperty } from '../line-words.ts'
import { TransferHandler } from './handler.ts'
import { Notifier } from './notifier.ts'
import type { Recipients } from './recipients.ts'

const ATTEMPTS_MAX = 5
const FIRST_WAIT_MS = 1000

export default {
  name: 'transfer',
  setup(controller) {
    const all = controller.lines.map((line) => recipientsIn(controller, line))
    const handler = new TransferHandler(all, controller.log)
    const notifier = new Notifier(
      all,
      {
        timers: systemTimers,
        random: controller.host.random,
        attemptsMax: ATTEMPTS_MAX,
        firstWaitMs: FIRST_WAIT_MS,
      },
      controller.log,
      (zone) => {
        for (const source of handler.sources) for (const record of source.records(zone) ?? []) return record
        return undefined
      },
    )
    // In front of the plugins that have zones, which tell of them when they start.
    controller.onStart(() => void (handler.sources = controller.offers('zones')))
    controller.onShutdown(() => notifier.stop())
    controller.offer('notify', (zone) => notifier.tell(zone))
    return handler
  },
} satisfies DnsPlugin

function recipientsIn(controller: DnsController, line: CorefileLine): Recipients {
  const networks: IpPrefix[] = []
  const servers: ServerAddress[] = []
  let isForAll = false
  let isSaid = false
  for (const property of line.block ?? []) {
    if (property.name.text !== 'to') unknownProperty(controller, property, ['to'])
    if (property.args.length === 0)
      controller.fail(property, "'to' needs addresses: such as 192.0.2.1, 192.0.2.0/24, or * for all")
    for (const word of property.args) {
      isSaid = true
      if (word.text === '*') isForAll = true
      else if (word.text.includes('/')) {
        const network = readPrefix(word.text)
        if (typeof network === 'string') return controller.fail(word, network)
        networks.push(network)
      } else {
        const server = serverOf(controller, word)
        servers.push(server)
        const own = prefixOf(parseIp(server.host)!, 128)
        if (!networks.some((network) => covers(network, own))) networks.push(own)
      }
    }
  }
  if (!isSaid)
    controller.fail(
      line,
      "'to' is required: to whom zones are given, such as `to 192.0.2.1`, or `to *` for all",
    )
  return { zones: controller.zonesOf(line.args), isForAll, networks, servers }
}
