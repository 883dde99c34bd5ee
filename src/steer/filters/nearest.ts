/**
 * Puts the nearest nodes first: the one that a prefix line names, then those of the client's network (ASN), of its country, and all others by distance. Within the
 * same step of distance nodes are as near as each other, so that weights decide between them.
 *
 * How near a node is does not depend on which others are there: so clients can be sorted into classes once, whatever happens to nodes later.
 */
import type { EdgeNode } from '../node.ts'
import { distanceKm, type Place } from '../place.ts'
import { type Filter, ordered } from './filter.ts'

/** Where coordinates are not known: taken for a place of the same continent, or of another one. */
const CONTINENT_KM = 4000
const ELSEWHERE_KM = 15_000
/** Further than anything on earth: kinds of nearness do not mix. */
const KIND_KM = 100_000

/** Kilometres that make no difference. */
export const STEP_KM_DEFAULT = 50

export const nearest =
  (stepKm: number = STEP_KM_DEFAULT): Filter =>
  (candidates, { nodes, place }) => ({
    kept: ordered(candidates, ({ node }) => nearness(nodes[node]!, place, stepKm)),
    removed: [],
  })

/** Lower is nearer. */
export function nearness(node: EdgeNode, place: Place, stepKm: number): number {
  if (place.override === node.name) return 0
  if (place.asn !== undefined && node.asns.includes(place.asn)) return KIND_KM
  const isCompatriot = place.country !== undefined && place.country === node.country
  return (isCompatriot ? 2 : 3) * KIND_KM + Math.floor(apartKm(node, place) / stepKm)
}

function apartKm(node: EdgeNode, place: Place): number {
  if (node.location && place.location) return distanceKm(node.location, place.location)
  if (place.continent === undefined || node.continent === undefined) return ELSEWHERE_KM
  return place.continent === node.continent ? CONTINENT_KM : ELSEWHERE_KM
}
