/**
 * What is known of nodes: what they say of themselves (heartbeats that the control plane has), what probes found, and what somebody set by hand.
 *
 * A node is up as long as nothing speaks against it: one that is neither probed nor known to the control plane is up. `version` becomes another one only when a
 * choice could be another one: a load that changes and stays below the watermark changes nothing.
 */
import type { DnsEdgeState } from '../contract/dns.ts'
import type { EdgeNode, NodeState, NodeStateName } from './node.ts'
import { Threshold } from './threshold.ts'

export interface HealthOptions {
  /** Load from which on a node gets no new clients, and from which down it gets them again. */
  readonly watermark: { readonly high: number; readonly low: number }
  /** After so long without a word an edge counts as down. */
  readonly staleMs: number
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly onChange?: (node: EdgeNode, state: NodeState, before: NodeState) => void
}

interface Known {
  readonly node: EdgeNode
  readonly threshold: Threshold | undefined
  probeWhy: string
  edge: DnsEdgeState | undefined
  byHand: NodeStateName | undefined
  isOverloaded: boolean
}

export class NodeHealth {
  version = 1
  /** By node, as they were given. */
  readonly states: NodeState[]
  readonly #known: readonly Known[]
  readonly #options: HealthOptions

  /** What was known of nodes before, by their names, is still known, but for probes that are others now. */
  constructor(nodes: readonly EdgeNode[], options: HealthOptions, before?: NodeHealth) {
    this.#options = options
    this.#known = nodes.map((node) => {
      const old = before && before.#known.find((known) => known.node.name === node.name)
      const isSameProbe = old && JSON.stringify(old.node.probe) === JSON.stringify(node.probe)
      return {
        node,
        threshold: isSameProbe
          ? old.threshold?.copy()
          : node.probe && new Threshold(node.probe.rise, node.probe.fall),
        probeWhy: isSameProbe ? old.probeWhy : '',
        edge: old?.edge,
        byHand: old?.byHand,
        isOverloaded: old?.isOverloaded ?? false,
      }
    })
    this.states = this.#known.map((known) => this.#stateOf(known))
  }

  /** Whether each node that has a probe was probed once. */
  get isKnown(): boolean {
    return this.#known.every(({ threshold }) => threshold === undefined || threshold.isUp !== undefined)
  }

  probed(name: string, isGood: boolean, why: string): void {
    for (const [index, known] of this.#known.entries()) {
      if (known.node.name !== name || known.threshold === undefined) continue
      known.threshold.note(isGood)
      if (!isGood) known.probeWhy = why
      this.#judge(index)
    }
  }

  /** What the control plane knows of its edges now. Called again and again: silence is told by the time. */
  heard(edges: readonly DnsEdgeState[]): void {
    const byName = new Map(edges.map((edge) => [edge.name, edge]))
    for (const [index, known] of this.#known.entries()) {
      known.edge = byName.get(known.node.edge)
      this.#judge(index)
    }
  }

  /** False where there is no such node. */
  force(name: string, state: NodeStateName | undefined): boolean {
    let isThere = false
    for (const [index, known] of this.#known.entries()) {
      if (known.node.name !== name) continue
      isThere = true
      known.byHand = state
      this.#judge(index)
    }
    return isThere
  }

  #judge(index: number): void {
    const before = this.states[index]!
    const state = this.#stateOf(this.#known[index]!)
    this.states[index] = state
    const isSame =
      state.state === before.state &&
      state.isForced === before.isForced &&
      state.isOverloaded === before.isOverloaded
    if (isSame) return
    this.version += 1
    this.#options.onChange?.(this.#known[index]!.node, state, before)
  }

  #stateOf(known: Known): NodeState {
    const { node, edge } = known
    const { watermark } = this.#options
    const load = edge?.load
    if (load !== undefined)
      known.isOverloaded = known.isOverloaded ? load > watermark.low : load >= watermark.high
    else known.isOverloaded = false
    const told = { load, isOverloaded: known.isOverloaded }
    if (known.byHand !== undefined)
      return { state: known.byHand, isForced: true, why: `set ${known.byHand} by hand`, ...told }
    if (node.forced !== undefined)
      return { state: node.forced, isForced: true, why: `set ${node.forced} by configuration`, ...told }
    const against = this.#against(known)
    if (against !== undefined) return { state: 'down', isForced: false, why: against, ...told }
    if (edge?.isDraining === true)
      return { state: 'drain', isForced: false, why: 'it says that it is draining', ...told }
    const whys = [
      ...(edge ? ['its heartbeats come'] : []),
      ...(known.threshold?.isUp === true ? ['its probes are good'] : []),
    ]
    return { state: 'up', isForced: false, why: whys.join(', ') || 'nothing speaks against it', ...told }
  }

  #against({ edge, threshold, probeWhy }: Known): string | undefined {
    if (edge) {
      const silentMs = this.#options.now() - edge.seenAt
      if (!edge.isConnected) return 'its connection to the control plane is gone'
      if (silentMs > this.#options.staleMs) return `no heartbeat for ${Math.round(silentMs / 1000)} s`
    }
    return threshold?.isUp === false ? `its probe failed: ${probeWhy}` : undefined
  }
}
