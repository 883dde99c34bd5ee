/**
 * Geography compiled to prefixes: tables about networks are walked once, when they are loaded, and laid flat into ranges. A range says which class a client is of, and all
 * clients of a class are as near to each node, and inside of the same fences: for them one and the same decision holds.
 *
 * So a query asks one sorted array, and no tree of MaxMind's, whose look-up alone takes longer than a whole answer.
 */
import type { IpAddress } from '../base/ip-address.ts'
import type { IpPrefix } from '../base/ip-prefix.ts'
import { Mmdb } from '../wire/mmdb.ts'
import { atOnce } from './turns.ts'
import { isInside } from './filters/geofence.ts'
import { nearness } from './filters/nearest.ts'
import type { EdgeNode } from './node.ts'
import { type Place, placeOf } from './place.ts'
import { behind, combining, NOWHERE, rangesOf, RangeTable, RangeWriter } from './range-table.ts'

/** What one table says, laid flat: ranges with the index of a place. */
export interface GeoSource {
  readonly v4: RangeTable
  readonly v6: RangeTable
  readonly places: readonly Place[]
}

/** A prefix whose clients belong to a node. */
export interface PrefixOverride {
  readonly prefix: IpPrefix
  readonly node: string
}

/** Walks a table in MaxMind's format, in turns. Throws `MmdbMalformed`. */
export function* readingGeoSource(bytes: Buffer): Generator<void, GeoSource> {
  const table = new Mmdb(bytes)
  const places: Place[] = []
  const byText = new Map<string, number>()
  const byData = new Map<number, number>()
  const writers = { 4: new RangeWriter(4), 6: new RangeWriter(6) }
  const placeAt = (at: number): number => {
    const known = byData.get(at)
    if (known !== undefined) return known
    const place = placeOf(table.valueAt(at))
    const text = JSON.stringify(place)
    let index = text === '{}' ? NOWHERE : byText.get(text)
    if (index === undefined) {
      index = places.length
      places.push(place)
      byText.set(text, index)
    }
    byData.set(at, index)
    return index
  }
  yield* table.walking((family, words, length, at) => {
    const writer = writers[family]
    writer.begin(words, placeAt(at))
    const end = behind(family, words, length)
    if (end) writer.begin(end, NOWHERE)
  })
  return { v4: writers[4].done(), v6: writers[6].done(), places }
}

/** The same, at once. */
export const readGeoSource = (bytes: Buffer): GeoSource => atOnce(readingGeoSource(bytes))

const sourceOf = (overrides: readonly PrefixOverride[]): GeoSource => {
  const nodes = [...new Set(overrides.map(({ node }) => node))]
  const prefixes = overrides.map(({ prefix, node }) => ({ ...prefix, value: nodes.indexOf(node) }))
  return {
    v4: rangesOf(4, prefixes),
    v6: rangesOf(6, prefixes),
    places: nodes.map((override) => ({ override })),
  }
}

export interface GeographyParts {
  readonly sources: readonly GeoSource[]
  readonly overrides: readonly PrefixOverride[]
}

export class Geography {
  /** Ranges with the index of a class. */
  readonly v4: RangeTable
  readonly v6: RangeTable
  /** One place of each class: it stands for all of them. */
  readonly classes: readonly Place[]
  readonly #sources: readonly GeoSource[]

  private constructor(
    v4: RangeTable,
    v6: RangeTable,
    classes: readonly Place[],
    sources: readonly GeoSource[],
  ) {
    this.v4 = v4
    this.v6 = v6
    this.classes = classes
    this.#sources = sources
  }

  /**
   * Sorts all places into classes, for these nodes. `stepKm` is what `nearest` goes by, undefined where it is no filter. A generator: while other queries
   * wait, it is taken on in turns.
   */
  static *compiling(
    { sources, overrides }: GeographyParts,
    nodes: readonly EdgeNode[],
    stepKm: number | undefined,
  ): Generator<void, Geography> {
    // What is said of a prefix by hand counts most: it comes last.
    const all = overrides.length > 0 ? [...sources, sourceOf(overrides)] : sources
    const classes: Place[] = []
    const bySignature = new Map<string, number>()
    const byValues = new Map<string, number>()
    const classOf = (values: Int32Array): number => {
      const key = values.join(',')
      let index = byValues.get(key)
      if (index !== undefined) return index
      const place = placeFrom(all, (source) => values[source]!)
      const signature = signatureOf(place, nodes, stepKm)
      index = bySignature.get(signature)
      if (index === undefined) {
        index = classes.length
        classes.push(place)
        bySignature.set(signature, index)
      }
      byValues.set(key, index)
      return index
    }
    const v4 = yield* combining(
      4,
      all.map((source) => source.v4),
      classOf,
    )
    const v6 = yield* combining(
      6,
      all.map((source) => source.v6),
      classOf,
    )
    return new Geography(v4, v6, classes, all)
  }

  /** The same, at once. */
  static compile(parts: GeographyParts, nodes: readonly EdgeNode[], stepKm: number | undefined): Geography {
    return atOnce(Geography.compiling(parts, nodes, stepKm))
  }

  /** All that is known of an address: more than what its class goes by. */
  placeOf({ family, words }: IpAddress): Place {
    return placeFrom(this.#sources, (source) => {
      const { v4, v6 } = this.#sources[source]!
      return (family === 4 ? v4 : v6).valueOf(words)
    })
  }
}

/** What several tables say together: the last one that knows something of a field has it. */
function placeFrom(sources: readonly GeoSource[], valueOf: (source: number) => number): Place {
  const place: Place = {}
  for (let source = 0; source < sources.length; source++) {
    const value = valueOf(source)
    if (value !== NOWHERE) Object.assign(place, sources[source]!.places[value])
  }
  return place
}

/** Equal for places that make no difference to any filter: the order of nodes by nearness, and who serves there. */
function signatureOf(place: Place, nodes: readonly EdgeNode[], stepKm: number | undefined): string {
  const fences = nodes.map(({ fence }) =>
    fence.length === 0 || fence.some((word) => isInside(word, place)) ? '1' : '0',
  )
  if (stepKm === undefined) return fences.join('')
  const distances = nodes.map((node) => nearness(node, place, stepKm))
  const ranks = [...new Set(distances)].toSorted((one, other) => one - other)
  return `${fences.join('')} ${distances.map((distance) => ranks.indexOf(distance)).join(',')}`
}
