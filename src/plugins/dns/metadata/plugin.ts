/** `metadata`: what plugins tell of a query is gathered. */
import type { DnsName } from '../../../wire/dns/name.ts'
import type { DnsPlugin } from '../../../contract/dns.ts'

export default {
  name: 'metadata',
  setup(controller) {
    const zones: DnsName[] = []
    for (const line of controller.lines) {
      for (const property of line.block ?? [])
        controller.fail(
          property,
          property.name.text === 'map'
            ? "'map' is not there in Orla: a unit with a dns phase tells queries apart by any field"
            : `unknown property '${property.name.text}': metadata takes zones alone`,
        )
      zones.push(...controller.zonesOf(line.args))
    }
    controller.settings.metadataZones = zones
  },
} satisfies DnsPlugin
