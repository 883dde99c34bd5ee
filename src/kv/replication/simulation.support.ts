/**
 * Key/value data on an authority and some edges in one process, on a virtual clock, over a network that loses, repeats and delays: all by a seed.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KvLimits, KvOperation, KvResult } from '../../contract/kv.ts'
import type { KvUplink, KvUplinkBatch } from '../../contract/kv-replication.ts'
import type { LogEntry } from '../../contract/store.ts'
import { type KvKeeper, type KvKeeperOptions, type KvRole, openKeeper } from '../keeper.ts'
import { KvReader } from '../reader.ts'
import { KV_WORDS } from '../versions.ts'
import { bucketOf, decodeKey, decodeRow } from './encoding.ts'

export const LIMITS: KvLimits = { keysMax: 1000, bytesMax: 1_000_000, keyBytesMax: 64, valueBytesMax: 4000 }

/** Mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** Files that no disk is waited for. */
const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

interface Event {
  readonly at: number
  readonly order: number
  run: (() => void) | undefined
}

/** Virtual time: what is due is run in order, and what it set off in promises and turns before the next. */
export class World {
  now = 1_000_000
  readonly random: () => number
  readonly folder = mkdtempSync(join(MEMORY, 'orla-kv-sim-'))
  #events: Event[] = []
  #order = 0
  /** Of the network, while true. */
  isFaulty = true
  /** Called where a reader may look, within what happens at one moment. */
  observe = (): void => {}

  constructor(seed: number) {
    this.random = seeded(seed)
  }

  readonly clock = { now: () => Math.floor(this.now), monotonic: () => this.now }

  readonly after = (ms: number, run: () => void): (() => void) => {
    const event: Event = { at: this.now + ms, order: this.#order++, run }
    this.#events.push(event)
    return () => void (event.run = undefined)
  }

  chance(share: number): boolean {
    return this.random() < share
  }

  below(count: number): number {
    return Math.floor(this.random() * count)
  }

  /** Runs what is due until then. */
  async run(untilMs: number): Promise<void> {
    const end = this.now + untilMs
    for (;;) {
      await turns()
      let next: Event | undefined
      for (const event of this.#events) {
        if (
          event.run &&
          event.at <= end &&
          (!next || event.at < next.at || (event.at === next.at && event.order < next.order))
        )
          next = event
      }
      if (!next) break
      const { at, run } = next
      next.run = undefined
      this.#events = this.#events.filter((event) => event.run)
      this.now = Math.max(this.now, at)
      run!()
    }
    this.now = end
  }

  close(): void {
    rmSync(this.folder, { recursive: true })
  }
}

async function turns(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve))
}

export class Node {
  readonly name: string
  readonly world: World
  readonly path: string
  readonly #role: (node: Node) => KvRole
  readonly #options: Partial<KvKeeperOptions>
  readonly words = new Int32Array(KV_WORDS)
  keeper: KvKeeper
  started = Promise.resolve()
  reader: KvReader
  /** Grows with each start: what was on its way to the one before is not for this one. */
  starts = 0

  constructor(
    world: World,
    name: string,
    role: (node: Node) => KvRole,
    options: Partial<KvKeeperOptions> = {},
  ) {
    this.world = world
    this.name = name
    this.path = join(world.folder, `${name}.db`)
    this.#role = role
    this.#options = options
    this.keeper = this.#open()
    this.reader = this.#read()
  }

  #open(): KvKeeper {
    const { world, path, words } = this
    this.starts++
    const { clock, after, random } = world
    const role = this.#role(this)
    const options = { path, words, clock, limits: LIMITS, after, random, ...this.#options }
    const keeper = openKeeper(role, options)
    this.started = keeper.start?.() ?? Promise.resolve()
    this.started.catch((error: Error) => role.kind === 'shared' && role.onProblem(error))
    return keeper
  }

  #read(): KvReader {
    return new KvReader({ name: 'kv', path: this.path, clock: this.world.clock, words: this.words })
  }

  /** What was in memory is lost. */
  restart(): void {
    this.close()
    this.keeper = this.#open()
    this.reader = this.#read()
  }

  close(): void {
    this.reader.close()
    this.keeper.close()
  }

  get(key: string, namespace = 'u'): string | undefined {
    return this.reader.get(namespace, key)
  }

  number(key: string, namespace = 'u'): number {
    return Number(this.get(key, namespace) ?? 0)
  }

  do(operation: KvOperation, durable = false): KvResult {
    return this.keeper.apply([operation], durable)[0]!
  }

  async strong(operation: KvOperation): Promise<KvResult> {
    const { keeper } = this
    return (await (keeper.strong ? keeper.strong([operation]) : keeper.apply([operation], false)))[0]!
  }

  /** All that is seen. */
  all(): Record<string, string> {
    const found: Record<string, string> = {}
    for (const { namespace } of this.keeper.usage.toSorted((a, b) => (a.namespace < b.namespace ? -1 : 1))) {
      for (const { name } of this.reader.list(namespace, '', 1000, '').keys)
        found[`${namespace}/${name}`] = this.get(name, namespace)!
    }
    return found
  }
}

/** The buckets of the namespaces that are written here. */
export const USED = new Set(['u', 'v', 'w'].map((namespace) => bucketOf(namespace)))

const DELAY_MS = 40

/** The way of an edge's batches: requests and answers get lost, come late, and come twice. */
export function uplinkTo(edge: Node, authority: () => Node): KvUplink {
  const { world } = edge
  const isLost = () => world.isFaulty && world.chance(0.15)
  return {
    send(batch: KvUplinkBatch) {
      const copy = structuredClone(batch)
      return new Promise((resolve, reject) => {
        const deliver = (onAnswer: typeof resolve | undefined) =>
          world.after(world.below(DELAY_MS), () => {
            if (isLost()) return void (onAnswer && world.after(300, () => reject(new Error('lost'))))
            authority()
              .keeper.uplink!.send(structuredClone(copy), edge.name)
              .then(
                (answers) => {
                  const isGone = isLost()
                  if (onAnswer)
                    world.after(isGone ? 300 : world.below(DELAY_MS), () =>
                      isGone ? reject(new Error('lost')) : resolve(answers),
                    )
                },
                (error: Error) => reject(error),
              )
          })
        deliver(resolve)
        // A copy that something on the way kept, also for long.
        if (world.isFaulty && world.chance(0.15)) world.after(world.below(2000), () => deliver(undefined))
      })
    },
  }
}

/** The way of the logs: polled in steps that cut groups, with what was sent twice, and with breaks. */
export function follow(edge: Node, authority: () => Node): void {
  const { world } = edge
  const step = (): void => {
    world.after(5 + world.below(world.isFaulty ? 120 : 20), step)
    if (world.isFaulty && world.chance(0.2)) return
    const { feed } = authority().keeper
    const { intake } = edge.keeper
    for (const bucket of USED) {
      const position = intake!.positions()[bucket]!
      const from = world.chance(0.1) && position.id > 2 ? undefined : position
      if (!from) continue
      const entries = feed!.entriesAfter(bucket, from, 1 + world.below(6))
      if (entries === 'reset')
        for (const part of feed!.snapshot(bucket)) {
          intake!.load(bucket, structuredClone(part))
          world.observe()
        }
      else if (entries.length > 0) {
        intake!.applyEntries(bucket, structuredClone(entries))
        if (world.chance(0.2)) intake!.applyEntries(bucket, entries)
      }
    }
  }
  world.after(world.below(50), step)
}

/** What a log adds up to: every entry once, or some of them more than once. */
export function replay(entries: Iterable<LogEntry>, into = new Map<string, string>()): Map<string, string> {
  for (const { operation, key, value } of entries) {
    if (decodeKey(key).kind === 'marker') continue
    if (operation === 'DELETE') into.delete(key)
    else into.set(key, Buffer.from(decodeRow(value).value).toString('latin1'))
  }
  return into
}

export async function settled(world: World, nodes: readonly Node[]): Promise<void> {
  world.isFaulty = false
  for (let i = 0; i < 60; i++) {
    await world.run(500)
    const [first, ...others] = nodes.map((node) => JSON.stringify(node.all()))
    const isEmpty = nodes.every(({ keeper }) => (keeper.counts()['outbox'] ?? 0) === 0)
    if (isEmpty && others.every((other) => other === first)) return
  }
  assert.deepEqual(
    nodes.map((node) => [node.name, node.keeper.problem, node.keeper.counts(), node.all()]),
    [],
    'the nodes do not come to the same',
  )
}
