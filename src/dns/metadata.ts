/** What plugins tell of a query, gathered before its chain runs: only where the server block has `metadata`. */
import type { DnsSettings } from '../contract/dns.ts'
import type { ServerQuery } from './query.ts'

export function collectMetadata(settings: DnsSettings, query: ServerQuery): void {
  const { metadataZones, metadataProviders } = settings
  if (metadataZones === undefined || !metadataZones.some((zone) => query.qname.isWithin(zone))) return
  query.notes.metadata = new Map()
  for (const provide of metadataProviders) provide(query)
}
