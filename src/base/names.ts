/**
 * A map that is mostly empty or small. Texts come fresh from the socket, so a `Map` would first hash each; to compare it
 * with a few others is faster, since most differ in length already.
 */
export interface Names<T> {
  readonly few: readonly string[]
  readonly values: readonly T[]
  /** Null where there are only a few. */
  readonly many: ReadonlyMap<string, T> | null
}

const NAMES_COMPARED = 6

export function namesOf<T>(map: ReadonlyMap<string, T>): Names<T> {
  if (map.size > NAMES_COMPARED) return { few: [], values: [], many: map }
  return { few: [...map.keys()], values: [...map.values()], many: null }
}

export function lookUp<T>(names: Names<T>, name: string): T | undefined {
  if (names.many !== null) return names.many.get(name)
  const { few } = names
  for (let i = 0; i < few.length; i++) if (few[i] === name) return names.values[i]
  return undefined
}
