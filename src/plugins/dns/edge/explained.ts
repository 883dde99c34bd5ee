/** A choice in a few lines, for `TXT _steer.NAME`. */
import type { DnsSteeringExplanation } from '../../../contract/dns.ts'

export function explainedText(explained: DnsSteeringExplanation, how: string): string[] {
  const { client, place, steps, chosen, outcome, scope } = explained
  const known = Object.entries(place).map(([field, value]) => `${field} ${value}`)
  return [
    `client ${client}, ${how}`,
    `place ${known.length === 0 ? 'unknown' : known.join(', ')}`,
    ...steps.map(({ filter, kept, removed }) => {
      const gone = removed.map(({ node, why }) => `${node} (${why})`)
      const left = kept.length === 0 ? 'nobody' : kept.join(' ')
      return `${filter}: ${left}${gone.length === 0 ? '' : `; without ${gone.join(', ')}`}`
    }),
    `chosen ${chosen.length === 0 ? 'nobody' : chosen.join(' ')}${outcome === 'chosen' ? '' : ` (${outcome})`}, for /${scope}`,
  ]
}
