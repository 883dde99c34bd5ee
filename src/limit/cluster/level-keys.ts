/**
 * Under which keys a limit counts in Redis, and what its scripts are told of each level.
 *
 *     orla:limit:{<limit>.<widest>}            a key of one level
 *     orla:limit:{<limit>.<widest>}<finer>     a finer level, in the same slot of a Cluster as the widest
 *
 * Names and keys are hashed: whoever chooses a key chooses neither its length nor its bytes, nor finds two that meet. The hash is the same on all
 * nodes, which know no common secret, so it hides nothing: an IPv4 address can be found out of it.
 */
import { hash } from 'node:crypto'
import type { IpAddress } from '../../base/ip-address.ts'
import { SCRIPTS, type Scripts } from './scripts.ts'
import { type ClusterLevel, type ClusterPlan, levelShape, type LevelShape } from './plan.ts'

export type ClusterKey = string | IpAddress

/** One question. */
export interface Place {
  /** What decides about the slot. */
  readonly tag: string
  /** From the widest level to the finest. */
  readonly keys: readonly string[]
  readonly levels: Levels
}

export interface Levels {
  /** What scripts are told: five numbers for each. */
  readonly args: readonly string[]
  /** Of the level that allows least at once. */
  readonly full: number
  readonly count: number
}

interface Family extends Levels {
  /** From the shortest on. */
  readonly lengths: readonly number[]
  readonly name: string
}

export class LevelKeys {
  readonly scripts: Scripts
  readonly #prefix: string
  readonly #text: Family
  readonly #v4: Family
  readonly #v6: Family

  /** @throws RangeError where the plan cannot be counted in Redis. */
  constructor(plan: ClusterPlan, prefix: string) {
    const { id, rate, mode } = plan
    this.#prefix = prefix
    const family = (levels: readonly ClusterLevel[], kind: string): Family => {
      const widestFirst = levels.toReversed()
      const shapes = widestFirst.map((level) => levelShape({ ...level, algorithm: rate.algorithm }, mode))
      return {
        lengths: widestFirst.map(({ length }) => length),
        name: digest(
          [id, kind, ...shapes.map(({ layout }, n) => `${widestFirst[n]!.length} ${layout}`)].join('\n'),
          11,
        ),
        ...levelsOf(shapes),
      }
    }
    this.scripts = SCRIPTS.get(rate.algorithm)!
    this.#text = family([{ ...rate, length: 0 }], 'text')
    this.#v4 = family(plan.v4, 'v4')
    this.#v6 = family(plan.v6, 'v6')
  }

  /** `beside`: other parts of a key that has an address in it, each of which has all of its prefixes for itself. */
  of(key: ClusterKey, beside = ''): Place {
    if (typeof key === 'string') {
      const tag = `${this.#text.name}.${digest(key, 22)}`
      return { tag, keys: [`${this.#prefix}{${tag}}`], levels: this.#text }
    }
    const family = key.family === 4 ? this.#v4 : this.#v6
    const [widest, ...finer] = family.lengths
    const tag = `${family.name}.${digest(prefixText(key, widest!) + beside, 22)}`
    const first = `${this.#prefix}{${tag}}`
    return {
      tag,
      keys: [first, ...finer.map((length) => `${first}${digest(prefixText(key, length) + beside, 22)}`)],
      levels: family,
    }
  }
}

const levelsOf = (shapes: readonly LevelShape[]): Levels => ({
  args: shapes.flatMap(({ full, windowMs, unit, perMs, startFull }) =>
    [full, windowMs, unit, perMs, Number(startFull)].map(String),
  ),
  full: Math.min(...shapes.map(({ full }) => full)),
  count: shapes.length,
})

/** 6 bits a character: 22 are enough that nobody finds two that are alike. */
const digest = (text: string, characters: number): string =>
  hash('sha256', text, 'base64url').slice(0, characters)

/** The first bits of an address, and how many; ends in a character that no number has. */
function prefixText({ family, words }: IpAddress, length: number): string {
  let text = `${length}`
  for (let word = family === 4 ? 3 : 0, left = length; left > 0; word += 1, left -= 32)
    text += `:${(left >= 32 ? words[word]! : words[word]! & (-1 << (32 - left))) >>> 0}`
  return `${text}\n`
}
