/** What plugins tell of a query, gathered before its chain runs: only where the server block has `metadata`. */
import type { DnsName } from '../wire/dns/name.ts'
import type { ServerQuery } from './query.ts'

export interface MetadataSettings {
  readonly metadataZones: readonly DnsName[] | undefined
  readonly metadataProviders: readonly ((query: ServerQuery) => void)[]
}

export function collectMetadata(settings: MetadataSettings, query: ServerQuery): void {
  const { metadataZones, metadataProviders } = settings
  if (metadataZones === undefined || !metadataZones.some((zone) => query.qname.isWithin(zone))) return
  query.notes.metadata = new Map()
  for (const provide of metadataProviders) provide(query)
}
