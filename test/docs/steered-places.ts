/** The table of places of `examples/dns/steered`: networks that are for documentation, put where clients of the guide are. */
import { mmdbWith } from '../harness/mmdb.ts'

export const steeredPlaces = (): Buffer =>
  mmdbWith(
    [
      ['198.51.100.0/24', place('BR', 'SA', -23.5, -46.6)],
      ['203.0.113.0/24', place('GB', 'EU', 51.5, -0.1)],
      ['2001:db8:49::/48', place('DE', 'EU', 50.1, 8.7)],
    ],
    'GeoLite2-City',
  )

const place = (country: string, continent: string, latitude: number, longitude: number) => ({
  country: { iso_code: country },
  continent: { code: continent },
  location: { latitude, longitude },
})
