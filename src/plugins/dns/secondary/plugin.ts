/** `secondary`: serves zones that are fetched from another server. */
import { systemTimers } from '../../../base/timers.ts'
import {
  type CorefileLine,
  type DnsController,
  type DnsOutcome,
  type DnsPlugin,
  type DnsQuery,
} from '../../../contract/dns.ts'
import { RCODE } from '../../../wire/dns/codes.ts'
import type { DnsName } from '../../../wire/dns/name.ts'
import { type SecondarySurroundings, SecondaryZone } from '../../../zone/secondary-zone.ts'
import type { ServerAddress } from '../../../zone/tcp-link.ts'
import { Turns } from '../../../zone/turns.ts'
import { type ServedZone, ZoneHandler } from '../../../zone/zone-handler.ts'
import { fallthroughOf, serverOf, unknownProperty } from '../line-words.ts'

const LIMITS = { silenceMs: 10_000, wholeMs: 15 * 60_000, bytesMax: 2 * 1024 ** 3 }
const AT_A_TIME = 10

/** Those that run, by zone and primaries: after a reload of the Corefile the next one begins with what its former had. */
const running = new Map<string, SecondaryZone>()
const keyOf = ({ origin, primaries }: SecondaryZone): string =>
  `${primaries.map(({ host, port }) => `${host}:${port}`).join()} ${origin.key}`

export default {
  name: 'secondary',
  setup(controller) {
    const { log, host } = controller
    const around: SecondarySurroundings = {
      timers: systemTimers,
      steadyNow: host.steadyNow,
      random: host.random,
      turns: new Turns(AT_A_TIME),
      limits: LIMITS,
      log,
      onChange: (zone) => {
        for (const notify of controller.offers('notify')) notify(zone)
      },
    }
    const fallthrough: DnsName[] = []
    const served: ServedSecondary[] = []
    for (const line of controller.lines) {
      const primaries: ServerAddress[] = []
      for (const property of line.block ?? []) {
        const { name } = property
        if (name.text === 'transfer') primaries.push(...primariesOf(controller, property))
        else if (name.text === 'fallthrough') fallthrough.push(...fallthroughOf(controller, property))
        else unknownProperty(controller, property, ['transfer from', 'fallthrough'])
      }
      if (primaries.length === 0)
        controller.fail(line, 'secondary zones require a transfer from property: `transfer from 192.0.2.1`')
      for (const origin of controller.zonesOf(line.args))
        served.push(new ServedSecondary(new SecondaryZone(origin, primaries, around)))
    }
    const handler = new ZoneHandler({ lookup: controller.lookup, fallthrough })
    for (const zone of served) handler.put(zone)
    controller.offer('zones', handler)
    controller.onStart(() => {
      for (const { secondary } of served) {
        const key = keyOf(secondary)
        secondary.start(running.get(key))
        running.set(key, secondary)
      }
    })
    controller.onShutdown(() => {
      for (const { secondary } of served) {
        secondary.stop()
        const key = keyOf(secondary)
        if (running.get(key) === secondary) running.delete(key)
      }
    })
    return handler
  },
} satisfies DnsPlugin

/** `transfer from ADDRESS...` */
function primariesOf(controller: DnsController, line: CorefileLine): ServerAddress[] {
  const [from, ...words] = line.args
  if (from?.text !== 'from' || words.length === 0)
    return controller.fail(line, "expected 'transfer from' and one address or more, such as 192.0.2.1:53")
  return words.map((word) => serverOf(controller, word))
}

class ServedSecondary implements ServedZone {
  readonly secondary: SecondaryZone
  readonly origin: DnsName

  constructor(secondary: SecondaryZone) {
    this.secondary = secondary
    this.origin = secondary.origin
  }

  get zone() {
    return this.secondary.zone
  }

  get absence(): string {
    return this.secondary.isExpired ? 'the zone has expired' : 'the zone was not fetched yet'
  }

  /** Only from those that it is fetched from (RFC 1996 §3.10). */
  notified(query: DnsQuery): DnsOutcome {
    if (!this.secondary.isPrimary(query.ip())) return RCODE.REFUSED
    this.secondary.notified()
    const reply = query.reply()
    reply.isAuthoritative = true
    return reply
  }
}
