/**
 * Chooses nodes for clients: one look-up of a range, then what was worked out for its class, then, where several nodes are as good, their costs for the
 * client's prefix.
 *
 * What a class gets is worked out when it is first asked for after the state of a node has changed. What an answer is made of is made once for each list
 * of nodes, and kept: lists lie in a tree, one node a level.
 */
import type { IpAddress } from '../base/ip-address.ts'
import { formatPrefix, type IpPrefix } from '../base/ip-prefix.ts'
import type { DnsSteeringExplanation } from '../contract/dns.ts'
import type { Candidate, Situation } from './filters/filter.ts'
import type { Geography } from './geography.ts'
import type { EdgeNode, NodeState } from './node.ts'
import { allOf, decide, type Outcome, type Pipeline } from './pipeline.ts'
import type { Place } from './place.ts'
import { bucketOf, mixed, nodeSeed } from './rendezvous.ts'

export interface SteeringOptions<T> {
  readonly nodes: readonly EdgeNode[]
  readonly pipeline: Pipeline
  readonly geography: Geography
  /** Bits of an address within which all clients get the same. */
  readonly bucketBits: { readonly v4: number; readonly v6: number }
  readonly allDown: 'open' | 'closed'
  /** What is known of the nodes; `version` is another one after each change. */
  readonly health: { readonly version: number; readonly states: readonly NodeState[] }
  /** Makes what is kept for a list of nodes. Without nodes: for want of them. */
  make(nodes: readonly EdgeNode[], kind: Outcome['kind']): T
}

/** What the clients of a class get, as long as no node changes. */
interface ClassChoice<T> {
  readonly version: number
  /** The same for all of them; undefined where it depends on their prefix. */
  readonly always: Listed<T> | undefined
  /** Nodes in the order of their tiers. */
  readonly nodes: Int32Array
  /** Of each tier, where the next one begins in `nodes`. */
  readonly tierEnds: Int32Array
  readonly haveEqualWeights: boolean
}

/** A list of nodes: the way to here. */
interface Listed<T> {
  value: T | undefined
  readonly nodes: readonly number[]
  /** By node: the list with it at the end. */
  readonly longer: (Listed<T> | undefined)[]
}

/** Lists that are kept. More of them are made where many nodes are chosen at once; then all are made anew. */
const LISTS_MAX = 20_000

export class Steering<T> {
  readonly nodes: readonly EdgeNode[]
  readonly geography: Geography
  readonly #options: SteeringOptions<T>
  readonly #choices: (ClassChoice<T> | undefined)[] = []
  readonly #seeds: Int32Array
  readonly #weights: Float64Array
  readonly #costs: Float64Array
  readonly #masks: { readonly v4: number; readonly v6: readonly number[] }
  #lists = 0
  #root: Listed<T>
  readonly #without = new Map<string, Listed<T>>()
  /** Of the last choice. */
  #range = 0
  #isByPrefix = false

  constructor(options: SteeringOptions<T>) {
    this.#options = options
    this.nodes = options.nodes
    this.geography = options.geography
    this.#seeds = Int32Array.from(options.nodes, ({ name }) => nodeSeed(name))
    this.#weights = Float64Array.from(options.nodes, ({ weight }) => Math.max(weight, 1e-9))
    this.#costs = new Float64Array(options.nodes.length)
    const { v4, v6 } = options.bucketBits
    this.#masks = { v4: maskOf(v4, 0), v6: [0, 1, 2, 3].map((index) => maskOf(v6, index)) }
    this.#root = { value: undefined, nodes: [], longer: [] }
  }

  /** What is kept for the nodes of a client. `scope` then tells how many bits of its address count. */
  choose({ family, words }: IpAddress): T {
    const { geography } = this
    const table = family === 4 ? geography.v4 : geography.v6
    const range = table.find(words)
    this.#range = range
    const index = table.values[range]!
    let choice = this.#choices[index]
    if (choice === undefined || choice.version !== this.#options.health.version) {
      choice = this.#choiceOf(geography.classes[index]!)
      this.#choices[index] = choice
    }
    this.#isByPrefix = choice.always === undefined
    const listed = choice.always ?? this.#listFor(choice, this.#bucket(family, words))
    return (listed.value ??= this.#made(listed.nodes, 'chosen'))
  }

  /** Bits of the address that the last choice depended on. */
  scope({ family, words }: IpAddress): number {
    const { geography } = this
    const { bucketBits } = this.#options
    const length = (family === 4 ? geography.v4 : geography.v6).lengthAround(this.#range, words)
    return this.#isByPrefix ? Math.max(length, family === 4 ? bucketBits.v4 : bucketBits.v6) : length
  }

  /** The same choice, step by step. */
  explain(client: IpPrefix): DnsSteeringExplanation {
    const { pipeline, health, allDown, nodes } = this.#options
    const { words, family } = client
    this.choose(client)
    const scope = this.scope(client)
    const place = this.geography.placeOf(client)
    const situation = { nodes, states: health.states, place, bucket: this.#bucket(family, words) }
    const outcome = decide(pipeline.steps, situation, allDown)
    const shown: Situation = { ...situation, leniency: outcome.leniency }
    let left = allOf(shown)
    const steps = pipeline.steps.map(({ name: filter, filter: apply }) => {
      const { kept, removed } = apply(left, shown)
      left = kept
      return {
        filter,
        kept: kept.map(({ node }) => nodes[node]!.name),
        removed: removed.map(({ node, why }) => ({ node: nodes[node]!.name, why })),
      }
    })
    const chosen = outcome.left.slice(0, pipeline.count).map(({ node }) => nodes[node]!.name)
    return {
      client: formatPrefix(client),
      place: shownPlace(place),
      steps,
      chosen,
      outcome: outcome.kind,
      scope,
    }
  }

  #bucket(family: 4 | 6, words: IpAddress['words']): number {
    const { v4, v6 } = this.#masks
    return family === 4
      ? bucketOf(0, 0, 0xffff, words[3] & v4)
      : bucketOf(words[0] & v6[0]!, words[1] & v6[1]!, words[2] & v6[2]!, words[3] & v6[3]!)
  }

  #choiceOf(place: Place): ClassChoice<T> {
    const { pipeline, health, allDown, nodes } = this.#options
    const situation = { nodes, states: health.states, place, bucket: 0 }
    const outcome = decide(pipeline.beforeWeight, situation, allDown)
    const version = health.version
    const none = { nodes: new Int32Array(), tierEnds: new Int32Array(), haveEqualWeights: true }
    if (outcome.left.length === 0) return { version, always: this.#listWithout(outcome.kind), ...none }
    const left = pipeline.isWeighted ? weighty(outcome.left, nodes) : outcome.left
    const reached = left.slice(0, pipeline.count)
    const last = reached.at(-1)!.tier
    const isSettled = !pipeline.isWeighted || left.filter(({ tier }) => tier <= last).every(isAloneIn(left))
    if (isSettled) {
      let listed = this.#root
      for (const { node } of reached) listed = this.#longer(listed, node)
      return { version, always: listed, ...none }
    }
    const ends: number[] = []
    for (const [at, { tier }] of left.entries()) if (left[at + 1]?.tier !== tier) ends.push(at + 1)
    const first = nodes[left[0]!.node]!.weight
    return {
      version,
      always: undefined,
      nodes: Int32Array.from(left, ({ node }) => node),
      tierEnds: Int32Array.from(ends),
      haveEqualWeights: left.every(({ node }) => nodes[node]!.weight === first),
    }
  }

  #listFor(choice: ClassChoice<T>, bucket: number): Listed<T> {
    const { nodes, tierEnds, haveEqualWeights } = choice
    const costs = this.#costs
    let listed = this.#root
    let left = this.#options.pipeline.count
    let from = 0
    for (let tier = 0; tier < tierEnds.length && left > 0; tier++) {
      const end = tierEnds[tier]!
      for (let at = from; at < end; at++) {
        const node = nodes[at]!
        const chance = ((mixed(this.#seeds[node]! ^ bucket) >>> 0) + 0.5) / 0x1_0000_0000
        // Of equal weights the greatest chance is the least cost: no logarithm is asked.
        costs[at] = haveEqualWeights ? -chance : -Math.log(chance) / this.#weights[node]!
      }
      for (let taken = from; taken < end && left > 0; taken++) {
        let best = from
        for (let at = from + 1; at < end; at++) if (costs[at]! < costs[best]!) best = at
        costs[best] = Infinity
        listed = this.#longer(listed, nodes[best]!)
        left -= 1
      }
      from = end
    }
    return listed
  }

  #longer(listed: Listed<T>, node: number): Listed<T> {
    const known = listed.longer[node]
    if (known !== undefined) return known
    if (this.#lists >= LISTS_MAX) {
      this.#lists = 0
      this.#root = { value: undefined, nodes: [], longer: [] }
    }
    const made: Listed<T> = { value: undefined, nodes: [...listed.nodes, node], longer: [] }
    listed.longer[node] = made
    this.#lists += 1
    return made
  }

  #listWithout(kind: Outcome['kind']): Listed<T> {
    let listed = this.#without.get(kind)
    if (listed === undefined) {
      listed = { value: this.#made([], kind), nodes: [], longer: [] }
      this.#without.set(kind, listed)
    }
    return listed
  }

  #made(nodes: readonly number[], kind: Outcome['kind']): T {
    return this.#options.make(
      nodes.map((node) => this.nodes[node]!),
      kind,
    )
  }
}

/** Those with a weight of 0 get nobody, as long as there are others. */
function weighty(left: readonly Candidate[], nodes: readonly EdgeNode[]): readonly Candidate[] {
  const some = left.filter(({ node }) => nodes[node]!.weight > 0)
  return some.length > 0 ? some : left
}

const isAloneIn =
  (left: readonly Candidate[]) =>
  ({ tier, node }: Candidate): boolean =>
    left.every((other) => other.node === node || other.tier !== tier)

/** What of a word of an address counts, with that many bits in front. */
function maskOf(bits: number, index: number): number {
  const own = Math.max(0, Math.min(32, bits - index * 32))
  return own === 0 ? 0 : own === 32 ? -1 : ~(-1 >>> own)
}

function shownPlace({ location, ...place }: Place): DnsSteeringExplanation['place'] {
  return { ...place, ...location }
}
