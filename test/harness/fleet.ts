/**
 * A control plane, or several on one engine, and edges that follow: whole nodes at addresses that they keep, so that each can be killed and
 * started again while others go on.
 *
 *     const fleet = await startFleet(t, { edges: ['a', 'b'] })
 *     const history = await underPublishes(fleet, async () => { await fleet.edge('a').kill(); … })
 *     await fleet.assertWhole(history)
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { systemClock } from '../../src/base/clock.ts'
import type { ConfigInput } from '../../src/config/schema.ts'
import type { EdgeStatus } from '../../src/control/edge-shapes.ts'
import type { LogEntry } from '../../src/contract/store.ts'
import { follow, GENESIS } from '../../src/store/chain.ts'
import { openStore } from '../../src/store/sqlite-store.ts'
import { cleanEnvironment, type Ending, ORLA } from './command.ts'
import { edgeToken } from './edges.ts'
import { eventually } from './eventually.ts'
import { startNode, type NodeOptions, type TestNode } from './node.ts'
import { freePort } from './ports.ts'
import { Publisher } from './publisher.ts'
import { Watcher } from './watcher.ts'

export class FleetNode {
  readonly name: string
  readonly url: string
  readonly control: string
  readonly folder: string
  readonly #t: TestContext
  readonly #options: NodeOptions
  #node: TestNode | undefined

  constructor(
    t: TestContext,
    name: string,
    folder: string,
    ports: readonly [number, number],
    options: NodeOptions,
  ) {
    const [edge, control] = ports.map((port) => `127.0.0.1:${port}`) as [string, string]
    const { config = {} } = options
    this.name = name
    this.folder = folder
    this.url = `http://${edge}`
    this.control = `http://${control}`
    this.#t = t
    this.#options = {
      ...options,
      folder,
      config: {
        ...config,
        node: { name, ...config.node },
        edge: { workers: 2, ...config.edge, listen: edge },
        control: { ...config.control, listen: control },
      },
    }
  }

  /** The one that runs, or ran last. */
  get node(): TestNode {
    if (!this.#node) throw new Error(`${this.name} was never started`)
    return this.#node
  }

  get data(): string {
    return join(this.folder, 'data')
  }

  /** On what it has on its disk. `more` is merged over its configuration. */
  async start(more: ConfigInput = {}, env: NodeOptions['env'] = {}): Promise<void> {
    const config = { ...this.#options.config }
    for (const [part, value] of Object.entries(more))
      Object.assign(config, { [part]: { ...(config[part as keyof ConfigInput] as object), ...value } })
    this.#node = await startNode(this.#t, { ...this.#options, config, env })
  }

  /** On the configuration of its last start, without waiting until it serves: `more` is merged over that. */
  async launch(more: ConfigInput = {}): Promise<Launched> {
    const path = join(this.folder, 'orla.config.json')
    const config = JSON.parse(await readFile(path, 'utf8')) as Record<string, object>
    const merged = Object.entries(more).map(([part, value]) => [part, { ...config[part], ...value }])
    await writeFile(path, JSON.stringify({ ...config, ...Object.fromEntries(merged) }))
    const child = spawn(ORLA, ['start'], {
      cwd: this.folder,
      env: cleanEnvironment(),
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    const ended = once(child, 'close').then(() => stderr)
    this.#t.after(() => child.kill('SIGKILL'))
    return { stderr: () => stderr, ended, kill: (signal = 'SIGKILL') => (child.kill(signal), ended) }
  }

  /** SIGKILL to the supervisor alone: what it started ends by itself. */
  async kill(): Promise<void> {
    this.node.kill('SIGKILL')
    await this.node.ended
  }

  stop(): Promise<Ending> {
    return this.node.stop()
  }

  /** Neither it nor its processes do anything until `go`. */
  freeze(): void {
    this.node.kill('SIGSTOP')
  }

  go(): void {
    this.node.kill('SIGCONT')
  }

  /** As it says of itself. */
  async status(): Promise<EdgeStatus> {
    return JSON.parse((await this.node.api('GET', '/v1/edges')).text)[0] as EdgeStatus
  }
}

export interface Launched {
  stderr(): string
  /** What it said until it had ended. */
  readonly ended: Promise<string>
  kill(signal?: NodeJS.Signals): Promise<string>
}

export interface FleetOptions {
  /** Of the control planes; `embedded` has one. */
  readonly store?: ConfigInput['store']
  readonly controls?: readonly string[]
  readonly edges: readonly string[]
  /** Where an edge reaches the control planes; their own addresses unless said. */
  readonly through?: (
    edge: string,
    controls: readonly string[],
  ) => Promise<readonly string[]> | readonly string[]
  readonly config?: ConfigInput
}

export interface Fleet {
  readonly controls: readonly FleetNode[]
  readonly edges: readonly FleetNode[]
  readonly nodes: readonly FleetNode[]
  /** The first, or the only one. */
  readonly control: FleetNode
  edge(name: string): FleetNode
  /** Of the unit `one`, everywhere: waits for each to answer it. */
  converged(text: string): Promise<void>
  /** As a control plane has it, from the first entry on; checked hash by hash. */
  log(): Promise<readonly LogEntry[]>
}

export async function startFleet(t: TestContext, options: FleetOptions): Promise<Fleet> {
  const { store, controls: names = ['control'], edges: edgeNames, through, config } = options
  const make = async (name: string, more: ConfigInput) => {
    const folder = await mkdtemp(join(tmpdir(), `orla-fleet-${name}-`))
    const ports = [await freePort(), await freePort()] as const
    return new FleetNode(t, name, folder, ports, { config: { ...config, ...more } })
  }
  const controls = await Promise.all(names.map((name) => make(name, { ...(store && { store }) })))
  await Promise.all(controls.map((one) => one.start()))
  const addresses = controls.map(({ control }) => control)
  const edges = await Promise.all(
    edgeNames.map(async (name) =>
      make(name, {
        store: {
          kind: 'replica',
          control: [...((await through?.(name, addresses)) ?? addresses)],
          token: await edgeToken(controls[0]!.node, name),
        },
      }),
    ),
  )
  await Promise.all(edges.map((one) => one.start()))
  const nodes = [...controls, ...edges]
  t.after(async () => {
    await Promise.all(nodes.map(({ folder }) => rm(folder, { recursive: true, force: true, maxRetries: 5 })))
  })
  return {
    controls,
    edges,
    nodes,
    control: controls[0]!,
    edge: (name) => edges.find((one) => one.name === name)!,
    async converged(text) {
      for (const { node, name } of nodes) {
        let last = ''
        await eventually(async () => (last = (await node.request('/')).text) === text, {
          withinMs: 60_000,
          what: () => `${name} answers ${last} and not ${text}`,
        })
      }
    },
    async log() {
      const entries: LogEntry[] = []
      for (;;) {
        const path = `/v1/log?from=${entries.length + 1}`
        const page = JSON.parse((await controls[0]!.node.api('GET', path)).text) as LogEntry[]
        if (page.length === 0) break
        entries.push(...page)
      }
      follow({ log: '', id: 0, hash: GENESIS }, entries)
      return entries
    },
  }
}

export interface PublishingOptions {
  readonly wait?: 'stored' | 'all'
  /** Of each publish. */
  readonly timeoutMs?: number
  /** Units, each with a publisher of its own. The first is the one that is watched. */
  readonly publishers?: readonly Publisher[]
  readonly watched?: readonly FleetNode[]
}

export interface Published {
  readonly publishers: readonly Publisher[]
  readonly watchers: readonly Watcher[]
}

/** Requests to these nodes that were not answered as they should. */
export const failuresAt = ({ watchers }: Published, ...names: readonly string[]): readonly string[] =>
  watchers
    .filter(({ name }) => names.includes(name))
    .flatMap(({ name, failures }) => failures.map(({ what }) => `${name}: ${what}`))

/** Publishes, and watches all nodes, for as long as the work takes. */
export async function underPublishes(
  fleet: Fleet,
  options: PublishingOptions,
  work: (publisher: Publisher) => Promise<void>,
): Promise<Published> {
  const { wait = 'all', timeoutMs = 30_000, watched = fleet.nodes } = options
  const publishers = options.publishers ?? [
    new Publisher({ targets: fleet.controls, unit: 'one', prefix: 'p', wait, timeoutMs }),
  ]
  // From here on there is always something to see.
  await fleet.converged(await publishers[0]!.finish())
  const watchers = watched.map((node) => new Watcher(node.name, node.url))
  const running = [...publishers, ...watchers].map((one) => one.run())
  try {
    await work(publishers[0]!)
  } finally {
    for (const one of publishers) one.stop()
    await Promise.all(running.slice(0, publishers.length))
    for (const one of watchers) one.stop()
    await Promise.all(running)
  }
  return { publishers, watchers }
}

/**
 * What has to hold in the end, whatever was done to it: a publish goes through, all nodes run it, the log is whole and has what was
 * acknowledged, nobody saw anything go back, and all stores are equal.
 */
export async function assertWhole(
  fleet: Fleet,
  { publishers, watchers }: Published,
  options: { readonly isSyncedAck?: boolean } = {},
): Promise<void> {
  const [first] = publishers
  const last = await first!.finish()
  await fleet.converged(last)
  const entries = await fleet.log()
  for (const publisher of publishers) publisher.assertKept(entries)
  const { isSyncedAck = first!.wait === 'all' && publishers.length === 1 } = options
  const history = first!.liveTexts(entries)
  for (const watcher of watchers) watcher.assertForward(history, isSyncedAck ? first!.acknowledged : [])
  await eventually(async () => {
    const positions = await Promise.all(fleet.nodes.map(async (node) => (await node.status()).position))
    return positions.every(({ hash }) => hash === positions[0]!.hash)
  })
  await Promise.all(fleet.nodes.map((node) => node.stop()))
  assertEqualStores(fleet.nodes)
}

function assertEqualStores(nodes: readonly FleetNode[]): void {
  const [first, ...others] = nodes.map(({ name, data }) => {
    const store = openStore(data, { clock: systemClock })
    try {
      assert.equal(store.verify().ok, true, name)
      return { name, ...store.snapshot() }
    } finally {
      store.close()
    }
  })
  for (const { name, position, entries } of others) {
    assert.deepEqual(position, first!.position, name)
    assert.deepEqual(entries, first!.entries, name)
  }
}
