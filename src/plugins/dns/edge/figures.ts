/** What `prometheus` shows of steering. */
import type { DnsController, DnsCount, DnsCounter, DnsGauge } from '../../../contract/dns.ts'
import type { EdgeNode } from '../../../steer/node.ts'

export class EdgeFigures {
  readonly #name: string
  readonly #log: DnsController['log']
  readonly #choices: DnsCounter
  readonly #probes: DnsCounter
  readonly #without: DnsCounter
  readonly #unread: DnsCounter
  readonly #up: DnsGauge
  readonly #load: DnsGauge

  /** `name` is the first of those that are steered. */
  constructor({ metrics, log }: DnsController, name: string) {
    this.#name = name
    this.#log = log
    this.#choices = metrics.counter('orla_dns_edge_choices_total', 'How often a node was answered.', [
      'name',
      'node',
    ])
    this.#probes = metrics.counter('orla_dns_edge_probes_total', 'Probes of nodes, by what came of them.', [
      'name',
      'node',
      'result',
    ])
    this.#without = metrics.counter(
      'orla_dns_edge_without_node_total',
      'Answers for want of a healthy node, or of one that may serve the client.',
      ['name', 'outcome'],
    )
    this.#unread = metrics.counter(
      'orla_dns_edge_nodes_file_errors_total',
      'Files of nodes that were wrong, so that nodes stayed as they were.',
      ['name'],
    )
    this.#up = metrics.gauge(
      'orla_dns_edge_node_up',
      '1 for a node that is up, 0.5 for one that drains, 0 else.',
      ['name', 'node'],
    )
    this.#load = metrics.gauge('orla_dns_edge_node_load', 'How busy a node says that it is, from 0 to 1.', [
      'name',
      'node',
    ])
  }

  choicesOf(node: string): DnsCount {
    return this.#choices.labelled(this.#name, node)
  }

  withoutNode(outcome: string): void {
    this.#without.add(1, this.#name, outcome)
  }

  probed(node: string, isGood: boolean): void {
    this.#probes.add(1, this.#name, node, isGood ? 'good' : 'bad')
  }

  nodeIs(node: string, state: 'up' | 'down' | 'drain'): void {
    this.#up.set({ up: 1, drain: 0.5, down: 0 }[state], this.#name, node)
  }

  loadIs(node: string, load: number): void {
    this.#load.set(load, this.#name, node)
  }

  /** Nodes that are there no more are down. */
  forget(before: readonly EdgeNode[], now: readonly EdgeNode[]): void {
    for (const { name } of before) if (!now.some((node) => node.name === name)) this.nodeIs(name, 'down')
  }

  unread(file: string, why: string): void {
    this.#unread.add(1, this.#name)
    this.#log.error(`${file}: ${why}; nodes stay as they were`)
  }
}
