/**
 * The node as a token sees it that may not do everything: what lies outside its sites is hidden or refused, and so is what would give it more
 * than its role.
 *
 * A change is guarded in its turn, of what is there and of what it would become: a unit can neither be taken over from outside the sites nor
 * be made to reach beyond them, and between look and change nothing happens.
 */
import { EdgeError } from '../base/errors.ts'
import type { KvStoreName } from '../contract/kv.ts'
import { isWhole } from '../contract/purge.ts'
import { outside, type Reach } from '../site/scope.ts'
import type { ChangeGuard, ChangeOptions, ControlledNode, UnitReach } from './node.ts'
import { hasRole, type Identity } from './tokens.ts'

/** Keys of a site that name files of the edge node, wherever they stand. */
const FILE_KEYS: ReadonlySet<string> = new Set([
  'ca',
  'cert',
  'key',
  'root',
  'file',
  'files',
  'folder',
  'directory',
])

export function nodeFor(who: Identity, node: ControlledNode): ControlledNode {
  const isAdmin = hasRole(who.role, 'admin')
  if (isAdmin && !who.sites) return node
  const { sites: mine } = who

  const outsideOf = (reach: Reach) => mine && outside(reach, mine, node.sites())
  const forbid = (what: string, hint?: string): never => {
    throw new EdgeError('forbidden', `the token ${who.name} ${what}`, hint === undefined ? {} : { hint })
  }
  const within = (name: string, reach: UnitReach) => {
    const { hosts, kv } = reach
    const place = outsideOf(reach)
    if (place !== undefined) {
      const all = hosts.length === 0 ? ', as a unit without `hosts` does' : ''
      forbid(
        `is limited to ${mine!.join(', ')}, and ${name} would reach \`${place}\`${all}`,
        'name hosts of these sites in the field `hosts`, and their paths in `paths` where they have some',
      )
    }
    if (mine && kv !== undefined && kv !== name)
      forbid(`is limited to sites, and ${name} would use the data of \`${kv}\``)
  }

  /** A new unit has data of its name from its first request on: it must not be that of others, nor what a removed one left. */
  const ownsData = (name: string) => {
    const other = node.namespaceUsers(name).find((reach) => outsideOf(reach) !== undefined)
    if (other) forbid(`is limited to ${mine!.join(', ')}, and ${name} would share the data of ${other.name}`)
    const isUsed = (store: KvStoreName) =>
      node.kv.namespaces(store).some(({ namespace, keys }) => namespace === name && keys > 0)
    if (isUsed('kv')) {
      forbid(
        `is limited to ${mine!.join(', ')}, and there is key/value data called ${name} already`,
        'take another name, or have the data deleted by whoever may do everything (`orla kv`)',
      )
    }
    if (isUsed('cache')) {
      forbid(
        `is limited to ${mine!.join(', ')}, and there is data in \`edge.cache\` called ${name} already`,
        'take another name, or wait until it has expired; a start of the node empties it',
      )
    }
  }

  const bansNobody = (what: string, limits: unknown, before: unknown) => {
    const had = new Set(banning(before))
    if (mine && banning(limits).some((limit) => !had.has(limit)))
      forbid(
        `is limited to ${mine.join(', ')}, and a limit of ${what} would ban clients (\`ban\`): from whole nodes`,
        'have such a limit set by whoever may do everything, or leave `ban` out',
      )
  }

  const guard: ChangeGuard = {
    sites: mine,
    unit(name, reach) {
      within(name, reach)
      bansNobody(name, reach.limit, undefined)
      if (mine && node.reach(name) === undefined) ownsData(name)
      if (!isAdmin && reach.isolation === 'inline') {
        forbid(
          `has the role ${who.role}, and ${name} would run outside of a sandbox (\`isolation: "inline"\`)`,
          'this needs the role admin',
        )
      }
    },
    site(name, before, after) {
      if (mine && (!mine.includes(name) || before === undefined))
        forbid(`is limited to ${mine.join(', ')}: it may not change the site ${name}`)
      if (after === undefined) return
      const { hosts = [], paths = [] } = after as Partial<Reach>
      const place = outsideOf({ hosts, paths })
      if (place !== undefined)
        forbid(`is limited to ${mine!.join(', ')}, and the site would take \`${place}\``)
      bansNobody(`the site ${name}`, after['limits'], before?.['limits'])
      const had = new Set(filesOf(before))
      const added = isAdmin ? undefined : filesOf(after).find((file) => !had.has(file))
      if (added !== undefined)
        forbid(
          `has the role ${who.role}, and the site would name files: ${added}`,
          'this needs the role admin',
        )
    },
  }
  const guarded = (options: ChangeOptions): ChangeOptions => ({ ...options, guard })
  const sees = (unit: string) => {
    const reach = mine && node.reach(unit)
    return !mine || (reach !== undefined && outsideOf(reach) === undefined)
  }
  const look = (unit: string) => {
    const reach = mine && node.reach(unit)
    if (reach) within(unit, reach)
  }

  return {
    ...node,
    deploy: (name, request, options) => node.deploy(name, request, guarded(options)),
    rollback: (name, version, options) => node.rollback(name, version, guarded(options)),
    remove: (name, options) => node.remove(name, guarded(options)),
    setEnabled: (name, enabled, options) => node.setEnabled(name, enabled, guarded(options)),
    setEnv: (name, change, options) => node.setEnv(name, change, guarded(options)),
    async rollouts() {
      const rollouts = await node.rollouts()
      return rollouts.filter(({ name }) => sees(name))
    },
    async rollout(name) {
      look(name)
      return node.rollout(name)
    },
    moveRollout: (name, move, options) => node.moveRollout(name, move, guarded(options)),
    async units() {
      const units = await node.units()
      return units.filter(({ name }) => sees(name))
    },
    async unit(name) {
      look(name)
      return node.unit(name)
    },
    sites: () => node.sites().filter(({ name }) => !mine || mine.includes(name)),
    site(name) {
      if (mine && !mine.includes(name)) forbid(`is limited to ${mine.join(', ')}`)
      return node.site(name)
    },
    async caches(top) {
      const report = await node.caches(top)
      const isMine = ({ site }: { readonly site: string }) => !mine || mine.includes(site)
      return { caches: report.caches.filter(isMine), top: report.top.filter(isMine) }
    },
    async limits() {
      const limits = await node.limits()
      return limits.filter(({ site }) => !mine || mine.includes(site))
    },
    async limitTop({ name, site }, count) {
      if (mine === undefined) return node.limitTop({ name, site }, count)
      // Of several of that name the one that it may see is meant.
      const limits = await node.limits()
      const owner = site ?? limits.find((limit) => limit.name === name && mine.includes(limit.site))?.site
      if (owner === undefined || !mine.includes(owner)) forbid(`is limited to ${mine.join(', ')}`)
      return node.limitTop({ name, site: owner }, count)
    },
    async explainCache(url, headers) {
      const explained = await node.explainCache(url, headers)
      if (mine && !mine.includes(explained.site)) forbid(`is limited to ${mine.join(', ')}`)
      return explained
    },
    async origins() {
      const origins = await node.origins()
      return origins.filter(({ site }) => !mine || mine.includes(site))
    },
    setSites: (inputs, how, options) => node.setSites(inputs, how, guarded(options)),
    removeSite: (name, expected, options) => node.removeSite(name, expected, guarded(options)),
    purge(request, options) {
      if (mine === undefined) return node.purge(request, options)
      const { urls = [], prefixes = [], sites } = request
      const other = sites?.find((site) => !mine.includes(site))
      if (other !== undefined) forbid(`is limited to ${mine.join(', ')}: it may not purge the site ${other}`)
      if (isWhole(request) && sites === undefined)
        forbid(`is limited to ${mine.join(', ')}: it may not purge everything`, 'purge each `site` of these')
      for (const url of [...urls, ...prefixes]) {
        const { hostname, pathname } = new URL(url)
        if (outsideOf({ hosts: [hostname], paths: [pathname] }) !== undefined)
          forbid(`is limited to ${mine.join(', ')}: it may not purge ${url.slice(0, 200)}`)
      }
      // Tags are names that anybody may give: they mean what its sites keep.
      return node.purge({ ...request, sites: sites ?? mine }, options)
    },
    tail: (unit, listener) =>
      node.tail(unit, {
        onLine: (line) => {
          if (sees(line.unit)) listener.onLine(line)
        },
        onDropped: (count) => listener.onDropped(count),
      }),
  }
}

/** Limits of a site or a unit that ban whom they refuse too often, as texts to compare. */
function banning(limits: unknown): readonly string[] {
  if (!Array.isArray(limits)) return []
  return limits
    .filter((limit) => (limit as { readonly ban?: unknown } | null)?.ban !== undefined)
    .map((limit) => JSON.stringify(limit))
}

/** Keys whose whole value is about files, in whichever form it is written. */
const FILE_SECTIONS: ReadonlySet<string> = new Set(['accessLog', 'static'])

/** `key value` of each file that a site names. */
function filesOf(value: unknown, key = ''): readonly string[] {
  if (FILE_SECTIONS.has(key) && value !== false) return [`${key} ${JSON.stringify(value)}`]
  if (typeof value === 'string') return FILE_KEYS.has(key) ? [`${key} ${value}`] : []
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => filesOf(inner, Array.isArray(value) ? key : name))
}
