/** Where a client is, as far as tables about networks know; and how far that is from somewhere else. */
import { type MmdbValue, textAt, valueAt } from '../wire/mmdb.ts'
import type { Coordinates } from './node.ts'

export interface Place {
  readonly country?: string
  readonly continent?: string
  readonly asn?: number
  readonly location?: Coordinates
  /** Name of the node that is said to be the one for its prefix. */
  readonly override?: string
}

/** What a record of a City, Country or ASN table says, in MaxMind's layout. What is not as it should be is not there. */
export function placeOf(record: MmdbValue | undefined): Place {
  const country = textAt(record, 'country', 'iso_code') ?? textAt(record, 'registered_country', 'iso_code')
  const continent = textAt(record, 'continent', 'code')
  const asn = valueAt(record, 'autonomous_system_number')
  const latitude = valueAt(record, 'location', 'latitude')
  const longitude = valueAt(record, 'location', 'longitude')
  return {
    ...(country !== undefined && { country }),
    ...(continent !== undefined && { continent }),
    ...(typeof asn === 'number' && { asn }),
    ...(typeof latitude === 'number' &&
      typeof longitude === 'number' && { location: { latitude, longitude } }),
  }
}

const EARTH_RADIUS_KM = 6371
const RADIANS = Math.PI / 180

/** Along the great circle, by the haversine formula: good to half a percent, as the earth is no sphere. */
export function distanceKm(one: Coordinates, other: Coordinates): number {
  const north = Math.sin(((other.latitude - one.latitude) * RADIANS) / 2)
  const east = Math.sin(((other.longitude - one.longitude) * RADIANS) / 2)
  const square =
    north * north + Math.cos(one.latitude * RADIANS) * Math.cos(other.latitude * RADIANS) * east * east
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(square)))
}
