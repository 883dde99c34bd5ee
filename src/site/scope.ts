/**
 * What lies within some of the sites: hosts whose requests would all be theirs.
 *
 * A host belongs to the site that requests for it are routed to, so `tv.example.org` is not within `*.example.org` where another site has
 * that name; and `*.example.org` is within a site only if no other one has a host below.
 */
export interface ScopedSite {
  readonly name: string
  readonly hosts: readonly string[]
}

/** Undefined where all are within, else the first that is not. Without hosts, which means all, `*`. */
export function outside(
  hosts: readonly string[],
  mine: readonly string[],
  sites: readonly ScopedSite[],
): string | undefined {
  const owners = new Map(
    sites.flatMap(({ name, hosts: theirs }) => theirs.map((host) => [plain(host), name] as const)),
  )
  const isMine = (host: string) => {
    const owner = owners.get(host)
    return owner !== undefined && mine.includes(owner)
  }
  const wanted = hosts.length === 0 ? ['*'] : hosts.map(plain)
  return wanted.find((host) => {
    const covering = [host, ...wildcardsAbove(host)].find((pattern) => owners.has(pattern))
    if (covering === undefined || !isMine(covering)) return true
    return [...owners.keys()].some((other) => isBelow(other, host) && !isMine(other))
  })
}

const plain = (host: string): string => host.toLowerCase().replace(/(?<=.)\.$/, '')

/** The patterns that a host falls to, the closest first: `a.b.c` gives `*.b.c`, `*.c`, `*`. */
function wildcardsAbove(host: string): readonly string[] {
  if (host === '*') return []
  const labels = host.replace(/^\*\./, '').split('.')
  const from = host.startsWith('*.') ? 0 : 1
  const names = labels.slice(from).map((_, index) => `*.${labels.slice(from + index).join('.')}`)
  return [...names.filter((name) => name !== host), '*']
}

/** Whether requests for `other` match the pattern too. */
function isBelow(other: string, pattern: string): boolean {
  if (other === pattern) return false
  if (pattern === '*') return true
  return pattern.startsWith('*.') && other.replace(/^\*/, '').endsWith(pattern.slice(1))
}
