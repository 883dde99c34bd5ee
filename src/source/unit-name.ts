/**
 * The name of a unit here, from its name in Redis, which may be any text. A good one stays as it is. Of another one what can be kept is kept, and a part of
 * its hash tells it from others that would look the same; the name in Redis is stored with the unit, and shown.
 */
import { createHash } from 'node:crypto'

/** As the control plane takes names: a label of a DNS name. */
const UNIT_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/
const HASH_DIGITS = 8
/** Of a name in Redis: what is longer is not shown in full anywhere. */
export const NAME_CHARACTERS_MAX = 256

export function unitNameFor(name: string): string {
  // `in`: names are keys of plain objects in many places.
  if (UNIT_NAME.test(name) && !(name in {})) return name
  const kept = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 63 - HASH_DIGITS - 1)
    .replaceAll(/^-+|-+$/g, '')
  const hash = createHash('sha256').update(name).digest('hex').slice(0, HASH_DIGITS)
  return kept === '' ? `unit-${hash}` : `${kept}-${hash}`
}
