/** A change of sites in one line: what changed, where it is live, how long it took. */
import type { SiteChange } from './shapes.ts'

const NAMES_SHOWN = 5

export function siteChangeText(
  { added, changed, removed, live, ms }: SiteChange,
  settings: readonly string[] = [],
): string {
  const parts = [
    ...list('added', added),
    ...list('changed', changed),
    ...list('removed', removed),
    ...(settings.length > 0 ? [`changed ${settings.join(', ')}`] : []),
  ]
  const what = parts.length === 0 ? 'nothing changed' : parts.join('; ')
  return `${what}; live on ${live.workers}/${live.of} workers in ${Math.round(ms)} ms`
}

function list(verb: string, names: readonly string[]): string[] {
  if (names.length === 0) return []
  const shown = names.slice(0, NAMES_SHOWN).join(', ')
  const more = names.length > NAMES_SHOWN ? `, and ${names.length - NAMES_SHOWN} more` : ''
  return [`${verb} ${shown}${more}`]
}
