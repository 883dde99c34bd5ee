/** `orla cache stats`: what the caches of a node hold, and what they did. */
import type { CacheSummary } from '../../../control/cache-shapes.ts'
import { type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION } from '../../command.ts'
import { ControlClient } from '../../control-client.ts'
import { table } from '../../help.ts'
import { bytesText, secondsText, shareText } from './cache-text.ts'

export const command: Command = {
  name: 'cache stats',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  text: [
    'Tells of each site how many requests its cache answered, what it holds, and why it did not keep or give more. Sums over the workers of this node, since they started or the cache of the site changed. What `*` holds is shared by the sites that have no sizes of their own.',
    'HITS is the share of requests that were answered without waiting for the origin, BYTES that of the bytes sent. Behind the table stand, for each site, what look-ups came to (the words of `orla_cache_requests_total`), and why answers of the origin were not kept.',
  ].join('\n'),
  options: {
    site: { value: 'SITE', text: 'of this site alone' },
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    ['orla cache stats', 'of all sites'],
    ['orla cache stats --site tv.example.com --json', 'of one, for a script'],
  ],
  exits: { 1: 'there is no such site, or the control plane does not answer' },
  run: async (args, terminal) => {
    const client = ControlClient.from(args, terminal)
    const caches = (await client.call('GET', '/v1/cache', {
      query: { site: args.text('site') },
    })) as CacheSummary[]
    terminal.print(args.flag('json') ? JSON.stringify(caches) : statsText(caches))
    return EXIT.done
  },
}

export function statsText(caches: readonly CacheSummary[]): string {
  if (caches.length === 0) return 'no site has a cache'
  const heads = [
    'SITE',
    'HITS',
    'BYTES',
    'OBJECTS',
    'MEMORY',
    'STORED',
    'REFRESHED',
    'EVICTED',
    'FROM CACHE',
    'FROM ORIGIN',
  ]
  const rows = caches.map(({ site, hitRatio, byteHitRatio, counters, bytes }) => [
    site,
    shareText(hitRatio),
    shareText(byteHitRatio),
    numberText(counters['entries']),
    counters['bytes'] === undefined ? '-' : bytesText(counters['bytes']),
    numberText(counters['stored']),
    numberText(counters['refreshed']),
    numberText(counters['evicted']),
    bytesText(bytes.cache),
    bytesText(bytes.origin),
  ])
  const details = caches.flatMap(({ site, results, refusals, evictedAge }) => [
    ...counted(`${site}: look-ups`, results),
    ...counted(`${site}: not kept`, refusals),
    ...(evictedAge === undefined
      ? []
      : [`${site}: evicted at an age of ${secondsText(Math.round(evictedAge.meanSeconds))} on average`]),
  ])
  return [table(heads, rows), ...(details.length > 0 ? ['', ...details] : [])].join('\n')
}

const numberText = (count: number | undefined): string => (count === undefined ? '-' : String(count))

/** The most frequent first. */
function counted(head: string, counts: Readonly<Record<string, number>>): string[] {
  const some = Object.entries(counts).filter(([, count]) => count > 0)
  if (some.length === 0) return []
  const list = some.toSorted(([, a], [, b]) => b - a).map(([word, count]) => `${word} ${count}`)
  return [`${head}: ${list.join(', ')}`]
}
