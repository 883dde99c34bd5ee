/** `--allow-fetch`: private addresses that units may fetch, for commands that run a unit without a configuration. */
import { checkConfig } from '../config/check.ts'
import { type Arguments, UsageError } from './arguments.ts'
import type { Option } from './command.ts'

export const FETCH_OPTION = {
  'allow-fetch': {
    value: 'HOST[:PORT]',
    many: true,
    text: 'the unit may fetch it though its address is private, as with edge.fetch.sites; *.example.com: all names below one',
  },
} as const satisfies Record<string, Option>

/** As `edge.fetch.sites` takes them. */
export function fetchSites(args: Arguments): readonly string[] {
  const sites = args.all('allow-fetch')
  for (const site of sites) {
    const result = checkConfig({ edge: { fetch: { sites: [site] } } })
    if (result.kind === 'problems')
      throw new UsageError(`--allow-fetch takes "HOST", "HOST:PORT" or "*.example.com", not "${site}"`)
  }
  return sites
}
