/** What a unit says of limits and this node cannot do as it is: told with the change, which goes on, since it may come later, or be there on edges. */
import type { Served } from '../../contract/messages.ts'
import type { UnitVersion } from '../../contract/unit.ts'
import type { Problem } from '../../control/shapes.ts'
import { limitsOfUnit } from '../../unit/limit-field.ts'

/** What of a node limits rely on. */
export interface LimitGround {
  readonly served: Pick<Served, 'limiters' | 'geo'> | undefined
  /** It knows where all nodes count. */
  readonly hasRedis: boolean
}

/** Names that are told; more are left out. */
const NAMES_MAX = 20

export function limitWarnings(unit: Pick<UnitVersion, 'name' | 'manifest'>, ground: LimitGround): Problem[] {
  const { served, hasRedis } = ground
  const names = served && namesOf(served)
  return limitsOfUnit(unit).flatMap((limit): Problem[] => {
    if (limit.kind === 'named') {
      if (names === undefined || names.has(limit.name)) return []
      const there =
        names.size === 0 ? 'there is none' : `there are ${[...names].slice(0, NAMES_MAX).join(', ')}`
      return [
        {
          message: `limit: no site has a limit called \`${limit.name}\`, and the unit fails until one has: ${there}`,
        },
      ]
    }
    const { name, scope, key } = limit.config
    const problems: Problem[] = []
    if (scope === 'cluster' && !hasRedis)
      problems.push({
        message: `limit: \`${name}\` is counted by this node alone: for \`scope\` "cluster" it needs \`edge.limitsRedis\``,
      })
    if (key?.includes('asn') === true && served?.geo?.asn === undefined)
      problems.push({
        message: `limit: \`${name}\` takes all clients for one here: for the key "asn" the node needs \`geo.asn\``,
      })
    return problems
  })
}

/** Of limits that are not a unit's own. Which sites a unit meets is found with each request. */
const namesOf = ({ limiters = [] }: Pick<Served, 'limiters'>): ReadonlySet<string> =>
  new Set(limiters.filter(({ site }) => !site.includes(' ')).map(({ config }) => config.name))
