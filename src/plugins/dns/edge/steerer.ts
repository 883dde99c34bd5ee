/**
 * Keeps what steers the clients of some names: the nodes as they are configured now, what is known of them, and the tables that both make together.
 *
 * Nodes of a file are read again when it changes. Tables are made anew in turns between queries, and then put in the place of the ones before; a file that is wrong
 * changes nothing.
 */
import { readFile } from 'node:fs/promises'
import { parseCidr } from '../../../base/cidr.ts'
import { parseIp } from '../../../base/ip-address.ts'
import { prefixOf } from '../../../base/ip-prefix.ts'
import type {
  CorefileWord,
  DnsController,
  DnsHost,
  DnsSteeredNode,
  DnsSteering,
  DnsSteeringExplanation,
} from '../../../contract/dns.ts'
import { Geography, type GeoSource, readingGeoSource } from '../../../steer/geography.ts'
import type { EdgeNode, NodeState, NodeStateName } from '../../../steer/node.ts'
import { type NodeDraft, nodeOf, setField } from '../../../steer/node-fields.ts'
import { NodeHealth } from '../../../steer/node-health.ts'
import { readNodes, signOf } from '../../../steer/nodes-file.ts'
import { Probes } from '../../../steer/probes.ts'
import { Steering } from '../../../steer/steering.ts'
import { inTurns } from '../../../steer/turns.ts'
import type { DnsName } from '../../../wire/dns/name.ts'
import { MmdbMalformed } from '../../../wire/mmdb.ts'
import type { EdgeConfig } from './config.ts'
import { type EdgeAnswer, edgeAnswerOf } from './edge-answer.ts'
import type { EdgeFigures } from './figures.ts'

/** How often heartbeats are looked at, and the file of nodes. */
const HEARTBEATS_MS = 500
const FILE_MS = 500
const NODES_MAX = 1000

/** By process and first name: what is known of nodes outlives a Corefile, so that one which is down is not taken for up after each reload. */
const known = new WeakMap<DnsHost, Map<string, Steerer>>()

export class Steerer implements DnsSteering {
  readonly names: readonly DnsName[]
  readonly #config: EdgeConfig
  readonly #controller: DnsController
  readonly #figures: EdgeFigures
  readonly #sources: readonly GeoSource[]
  readonly #timers: NodeJS.Timeout[] = []
  #steering: Steering<EdgeAnswer>
  #health: NodeHealth
  #probes: Probes
  #hasCnames: boolean
  #fileSign = ''
  #isReading = false
  #isStopped = false

  private constructor(
    config: EdgeConfig,
    controller: DnsController,
    figures: EdgeFigures,
    nodes: readonly EdgeNode[],
    sources: readonly GeoSource[],
    geography: Geography,
  ) {
    this.names = config.names
    this.#config = config
    this.#controller = controller
    this.#figures = figures
    this.#health = this.#healthOf(nodes, known.get(controller.host)?.get(config.names[0]!.key)?.health)
    this.#sources = sources
    this.#steering = this.#steeringOf(geography, nodes)
    this.#probes = this.#probesOf(nodes)
    this.#hasCnames = nodes.some(({ cname }) => cname !== undefined)
  }

  /** Ends the setup where nodes are wrong. */
  static async of(config: EdgeConfig, controller: DnsController, figures: EdgeFigures): Promise<Steerer> {
    const fail = (text: string) => controller.fail(config.nodesFile ?? config.line, text)
    let drafts: NodeDraft[] = config.drafts.map(copyOf)
    let sign = ''
    if (config.nodesFile) {
      const path = controller.path(config.nodesFile.text)
      try {
        sign = await signOf(path)
        const read = await readNodes(path)
        if (typeof read === 'string') return fail(`${config.nodesFile.text}: ${read}`)
        drafts = [...drafts, ...read]
      } catch (error) {
        return fail(`cannot read ${config.nodesFile.text}: ${(error as Error).message}`)
      }
    }
    const nodes = nodesOf(config, controller.zones, drafts)
    if (typeof nodes === 'string') return fail(nodes)
    for (const { node } of config.fields)
      if (!nodes.some(({ name }) => name === node.text))
        controller.fail(node, `there is no node '${node.text}'`)
    for (const word of config.overrideWords)
      if (!nodes.some(({ name }) => name === word.text))
        controller.fail(word, `there is no node '${word.text}'`)
    const sources: GeoSource[] = []
    for (const word of config.geoFiles) sources.push(await geoOf(controller, word))
    const parts = { sources, overrides: config.overrides }
    const geography = await inTurns(Geography.compiling(parts, nodes, config.pipeline.stepKm))
    const steerer = new Steerer(config, controller, figures, nodes, sources, geography)
    steerer.#fileSign = sign
    return steerer
  }

  get health(): NodeHealth {
    return this.#health
  }

  get steering(): Steering<EdgeAnswer> {
    return this.#steering
  }

  /** Whether any node is another name: then all types have the same answer. */
  get hasCnames(): boolean {
    return this.#hasCnames
  }

  /** Whether each probe has had one answer. */
  get isReady(): boolean {
    return this.#health.isKnown
  }

  start(): void {
    const { host } = this.#controller
    const all = known.get(host) ?? new Map<string, Steerer>()
    known.set(host, all.set(this.names[0]!.key, this))
    if (host.edges) {
      const { edges } = host
      this.#health.heard(edges())
      this.#every(HEARTBEATS_MS, () => {
        this.#health.heard(edges())
        this.#tell()
      })
    }
    if (this.#config.nodesFile) this.#every(FILE_MS, () => void this.lookAgain())
    this.#probes.start()
    this.#tell()
  }

  stop(): void {
    this.#isStopped = true
    for (const timer of this.#timers) clearInterval(timer)
    this.#probes.stop()
  }

  explain(client: string): DnsSteeringExplanation | undefined {
    const slash = client.indexOf('/')
    const ip = parseIp(slash === -1 ? client : client.slice(0, slash))
    if (ip === undefined || parseCidr(client) === undefined) return undefined
    const bits = ip.family === 4 ? 32 : 128
    const length = slash === -1 ? bits : Math.min(bits, Number(client.slice(slash + 1)))
    return this.#steering.explain(prefixOf(ip, length))
  }

  nodes(): readonly DnsSteeredNode[] {
    return this.#steering.nodes.map(({ name }, index) => {
      const { state, why, load, isOverloaded } = this.#health.states[index]!
      return { name, state, why, load, isOverloaded }
    })
  }

  force(node: string, state: NodeStateName | undefined): boolean {
    return this.#health.force(node, state)
  }

  /** Reads the file of nodes if it is another one than the last time. */
  async lookAgain(): Promise<void> {
    const { nodesFile } = this.#config
    if (!nodesFile || this.#isReading) return
    this.#isReading = true
    try {
      const path = this.#controller.path(nodesFile.text)
      const sign = await signOf(path)
      if (sign === this.#fileSign) return
      this.#fileSign = sign
      const read = await readNodes(path)
      const nodes =
        typeof read === 'string'
          ? read
          : nodesOf(this.#config, this.#controller.zones, [...this.#config.drafts.map(copyOf), ...read])
      if (typeof nodes === 'string') this.#figures.unread(nodesFile.text, nodes)
      else await this.#use(nodes)
    } catch (error) {
      // Gone for a moment, as while an editor writes it: what holds goes on.
      if (this.#fileSign !== '')
        this.#controller.log.warn(`${nodesFile.text}: ${(error as Error).message}; nodes stay as they were`)
      this.#fileSign = ''
    } finally {
      this.#isReading = false
    }
  }

  async #use(nodes: readonly EdgeNode[]): Promise<void> {
    const parts = { sources: this.#sources, overrides: this.#config.overrides }
    const geography = await inTurns(Geography.compiling(parts, nodes, this.#config.pipeline.stepKm))
    if (this.#isStopped) return
    this.#probes.stop()
    this.#figures.forget(this.#steering.nodes, nodes)
    this.#health = this.#healthOf(nodes, this.#health)
    this.#steering = this.#steeringOf(geography, nodes)
    this.#hasCnames = nodes.some(({ cname }) => cname !== undefined)
    this.#probes = this.#probesOf(nodes)
    this.#probes.start()
    this.#tell()
    this.#controller.log.info(`${nodes.length} nodes were read anew`)
  }

  #healthOf(nodes: readonly EdgeNode[], before?: NodeHealth): NodeHealth {
    const { watermark, staleMs } = this.#config
    const { host, log } = this.#controller
    const onChange = ({ name }: EdgeNode, { state, why, isOverloaded }: NodeState, old: NodeState) => {
      if (state !== old.state) log.info(`node ${name} is ${state}: ${why}`)
      else log.info(`node ${name} is ${isOverloaded ? 'over' : 'below'} the watermark`)
      this.#figures.nodeIs(name, state)
    }
    return new NodeHealth(nodes, { watermark, staleMs, now: host.now, onChange }, before)
  }

  #steeringOf(geography: Geography, nodes: readonly EdgeNode[]): Steering<EdgeAnswer> {
    const { pipeline, bucketBits, allDown, ttlSeconds, names } = this.#config
    const owner = names[0]!
    return new Steering<EdgeAnswer>({
      nodes,
      pipeline,
      geography,
      bucketBits,
      allDown,
      health: this.#health,
      make: (chosen, kind) =>
        edgeAnswerOf(owner, ttlSeconds, chosen, kind, (node) => this.#figures.choicesOf(node)),
    })
  }

  #probesOf(nodes: readonly EdgeNode[]): Probes {
    return new Probes(nodes, {
      random: this.#controller.host.random,
      onResult: ({ name }, result) => {
        this.#figures.probed(name, result.isGood)
        this.#health.probed(name, result.isGood, result.isGood ? '' : result.why)
      },
    })
  }

  #tell(): void {
    for (const { name, state, load } of this.nodes()) {
      this.#figures.nodeIs(name, state)
      if (load !== undefined) this.#figures.loadIs(name, load)
    }
  }

  #every(ms: number, act: () => void): void {
    this.#timers.push(setInterval(act, ms).unref())
  }
}

/** A table of MaxMind's format, walked in turns: a reload must not hold up whoever is answered meanwhile. */
async function geoOf(controller: DnsController, word: CorefileWord): Promise<GeoSource> {
  try {
    return await inTurns(readingGeoSource(await readFile(controller.path(word.text))))
  } catch (error) {
    if (error instanceof MmdbMalformed)
      return controller.fail(word, `${word.text} is no table of MaxMind's format: ${error.message}`)
    return controller.fail(word, `cannot read ${word.text}: ${(error as Error).message}`)
  }
}

const copyOf = (draft: NodeDraft): NodeDraft => ({
  ...draft,
  addresses: [...draft.addresses],
  asns: [...draft.asns],
  fence: [...draft.fence],
})

/** Nodes of drafts, with what lines of their own say of them; or a sentence that says what is wrong. */
function nodesOf(
  { fields, names: owners }: EdgeConfig,
  zones: readonly DnsName[],
  drafts: readonly NodeDraft[],
): EdgeNode[] | string {
  const nodes: EdgeNode[] = []
  if (drafts.length === 0) return 'no node is there'
  if (drafts.length > NODES_MAX) return `${drafts.length} nodes are more than ${NODES_MAX}`
  const names = new Set<string>()
  for (const draft of drafts) {
    if (names.has(draft.name)) return `node '${draft.name}' stands twice`
    names.add(draft.name)
    for (const { node, field, words } of fields) if (node.text === draft.name) setField(draft, field, words)
    const node = nodeOf(draft)
    if (typeof node === 'string') return node
    nodes.push(node)
  }
  for (const { name, cname } of nodes)
    if (cname && owners.some((owner) => owner.equals(cname)))
      return `node '${name}' is ${cname.toString()}, which is steered here itself: that leads in a circle`
  const apex = owners.find((owner) => zones.some((zone) => zone.equals(owner)))
  if (apex && nodes.some(({ cname }) => cname !== undefined))
    return `${apex.toString()} is a zone, and its SOA stands at the same name: a CNAME cannot stand there (RFC 1034 §3.6.2), so give its nodes addresses`
  return nodes
}
