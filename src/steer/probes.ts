/**
 * Probes nodes again and again, each at its own interval, with a little chance in it so that they do not go out at once, and few at the same time.
 */
import type { EdgeNode } from './node.ts'
import { probe, type ProbeResult } from './probe.ts'

export interface ProbesOptions {
  readonly random: () => number
  onResult(node: EdgeNode, result: ProbeResult, tookMs: number): void
}

/** At the same time: others wait for one of them to end, which its timeout sees to. */
const AT_ONCE_MAX = 32
/** Part of an interval that chance takes off. */
const JITTER = 0.2

export class Probes {
  readonly #nodes: readonly EdgeNode[]
  readonly #options: ProbesOptions
  readonly #ended = new AbortController()
  readonly #timers = new Map<EdgeNode, NodeJS.Timeout>()
  /** Each node is in there at most once. */
  readonly #waiting: EdgeNode[] = []
  #underWay = 0

  constructor(nodes: readonly EdgeNode[], options: ProbesOptions) {
    this.#nodes = nodes.filter((node) => node.probe !== undefined)
    this.#options = options
  }

  /** The first ones go out at once. */
  start(): void {
    this.#waiting.push(...this.#nodes)
    this.#go()
  }

  /** Nothing is told any more. */
  stop(): void {
    this.#ended.abort()
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    this.#waiting.length = 0
  }

  #go(): void {
    while (this.#underWay < AT_ONCE_MAX && this.#waiting.length > 0) void this.#probe(this.#waiting.shift()!)
  }

  async #probe(node: EdgeNode): Promise<void> {
    const target = node.probe!
    this.#underWay += 1
    const startMs = performance.now()
    const result = await probe(target, this.#ended.signal)
    this.#underWay -= 1
    if (this.#ended.signal.aborted) return
    const tookMs = performance.now() - startMs
    this.#options.onResult(node, result, tookMs)
    const waitMs = Math.max(0, target.intervalMs * (1 - JITTER * this.#options.random()) - tookMs)
    const timer = setTimeout(() => {
      this.#timers.delete(node)
      this.#waiting.push(node)
      this.#go()
    }, waitMs)
    // A server that has nothing else to do may end.
    timer.unref()
    this.#timers.set(node, timer)
    this.#go()
  }
}
