/**
 * The keys of parts. They begin with the key of their object and a line break, which no other key holds: so whatever takes an object away
 * finds its parts, in memory and on disk, as all keys that begin so.
 *
 *     KEY                  the object, whole
 *     KEY\npart            what is stored of it, in pieces that clients happened to ask for
 *     KEY\nslice 7         a slice of it
 *     KEY\nrange 10-19     a piece that is being fetched; nothing is stored under it
 */

export const partialKey = (key: string): string => `${key}\npart`

/** `index`: from 0. */
export const sliceKey = (key: string, index: number): string => `${key}\nslice ${index}`

/** `range`: as in `Range`, without its unit. */
export const rangeKey = (key: string, range: string): string => `${key}\nrange ${range}`

export const isPartOf = (key: string, object: string): boolean => key.startsWith(`${object}\n`)

/** The key of the object that a part belongs to; that of an object is its own. */
export function objectKeyOf(key: string): string {
  const at = key.indexOf('\n')
  return at < 0 ? key : key.slice(0, at)
}
