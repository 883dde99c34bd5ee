/**
 * The keeper of a node's tiers: the one writer of their indexes, which all workers tell what they wrote and what has to go.
 *
 * Workers come over a socket in a folder where nobody else may look. What arrives in one turn is one commit; whoever waits is told after
 * it. It runs in a thread of the supervisor, so that a slow disk holds up nobody but the cache.
 */
import { rmSync } from 'node:fs'
import { rm, readdir, rmdir } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { DiskPurge, DiskTierPlan } from '../contract/disk-tier.ts'
import { FrameReader, frameOf, type FromKeeper, type ToKeeper } from './frames.ts'
import { OWN_NAMES } from './layout.ts'
import { TierKeeper } from './tier-keeper.ts'
import type { TierState } from './tier-state.ts'

export interface KeeperOptions {
  /** Path of the socket. */
  readonly socket: string
  readonly plans: readonly DiskTierPlan[]
  /** Of the last purge before now. */
  readonly purgeNumber: number
  onLine(line: string): void
}

interface Connection {
  readonly socket: Socket
  /** Bodies that are being written there, by tier. */
  readonly underWay: Map<number, string>
  /** Ids that were answered, since the last message about it. */
  done: number[]
  refused: number[]
}

export class DiskKeeper {
  readonly #options: KeeperOptions
  readonly #tiers = new Map<string, TierKeeper>()
  readonly #connections = new Set<Connection>()
  readonly #server: Server
  #purgeNumber: number
  #isTellingSet = false

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#purgeNumber = options.purgeNumber
    this.use(options.plans)
    rmSync(options.socket, { force: true })
    this.#server = createServer((socket) => this.#accept(socket))
    this.#server.on('error', (error) =>
      options.onLine(`the cache on disk cannot be reached by workers: ${error.message}`),
    )
    this.#server.listen(options.socket)
  }

  /** Tiers that are not among them any more are closed; folders of our own go with them. */
  use(plans: readonly DiskTierPlan[]): void {
    const wanted = new Map(plans.map((plan) => [plan.name, plan]))
    for (const [name, tier] of this.#tiers) {
      const { plan } = tier
      if (wanted.get(name)?.folder === plan.folder) continue
      tier.close(true)
      this.#tiers.delete(name)
      if (plan.isOwnFolder) void removeFolder(plan.folder).catch(() => undefined)
    }
    for (const [name, plan] of wanted) {
      const tier = this.#tiers.get(name)
      if (tier === undefined) this.#tiers.set(name, this.#openTier(plan))
      else tier.change(plan)
    }
    this.#tell()
  }

  #openTier(plan: DiskTierPlan): TierKeeper {
    return new TierKeeper(plan, this.#purgeNumber, {
      onLine: (line) => this.#options.onLine(line),
      onChange: () => this.#tell(),
    })
  }

  /** In all tiers, or in that of this name. What they are about is found by nobody when this returns; how many it was. */
  purge(purges: readonly DiskPurge[], name: string | undefined): number {
    for (const { number } of purges) this.#purgeNumber = Math.max(this.#purgeNumber, number)
    let count = 0
    for (const [of, tier] of this.#tiers) if (name === undefined || name === of) count += tier.purge(purges)
    return count
  }

  get states(): readonly TierState[] {
    return Array.from(this.#tiers.values(), ({ state }) => state)
  }

  close(): void {
    this.#server.close()
    for (const { socket } of this.#connections) socket.destroy()
    for (const tier of this.#tiers.values()) tier.close()
    this.#tiers.clear()
    rmSync(this.#options.socket, { force: true })
  }

  #accept(socket: Socket): void {
    const connection: Connection = { socket, underWay: new Map(), done: [], refused: [] }
    this.#connections.add(connection)
    const reader = new FrameReader<readonly ToKeeper[]>((messages) => {
      for (const message of messages) this.#hear(connection, message)
    })
    socket.on('data', (chunk: Buffer) => reader.push(chunk))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#connections.delete(connection)
      for (const [file, tier] of connection.underWay) this.#tiers.get(tier)?.orphaned(file)
    })
    this.#send(connection, this.#openTiers())
  }

  #hear(connection: Connection, message: ToKeeper): void {
    const [kind, name] = message
    const tier = this.#tiers.get(name)
    switch (kind) {
      case 'open':
        connection.underWay.set(message[2], name)
        return tier?.opened(message[2], message[3])
      case 'close':
        connection.underWay.delete(message[2])
        return tier?.closed(message[2])
      case 'failed':
        return tier?.failed(message[2])
      case 'broken':
        return tier?.broken(message[2], message[3])
      case 'put':
      case 'remove': {
        const id = message[2]
        if (kind === 'put') connection.underWay.delete(message[3].file)
        if (tier === undefined) return this.#answer(connection, id, kind === 'put')
        return tier.enqueue(message, (verdict) => this.#answer(connection, id, verdict === 'refused'))
      }
      default:
        tier?.enqueue(message, () => undefined)
    }
  }

  /** What was done in one commit is one message. */
  #answer(connection: Connection, id: number, isRefused: boolean): void {
    connection.done.push(id)
    if (isRefused) connection.refused.push(id)
    if (connection.done.length > 1) return
    queueMicrotask(() => {
      const { done, refused } = connection
      connection.done = []
      connection.refused = []
      this.#send(connection, { kind: 'done', done, refused })
    })
  }

  #tell(): void {
    if (this.#isTellingSet) return
    this.#isTellingSet = true
    queueMicrotask(() => {
      this.#isTellingSet = false
      const message = this.#openTiers()
      for (const connection of this.#connections) this.#send(connection, message)
    })
  }

  #openTiers(): FromKeeper {
    const open = Array.from(this.#tiers.values()).filter(({ isOpen }) => isOpen)
    return {
      kind: 'tiers',
      tiers: open.map(({ plan, generation }) => ({ name: plan.name, folder: plan.folder, generation })),
    }
  }

  #send({ socket }: Connection, message: FromKeeper): void {
    if (!socket.destroyed) socket.write(frameOf(message))
  }
}

/** What is a tier's in its folder, and the folder where nothing else lies there. */
export async function removeFolder(folder: string): Promise<void> {
  for (const name of OWN_NAMES) {
    const path = join(folder, name)
    if (name === 'bodies') {
      // Folder by folder, so that others get at the disk.
      for (const part of await readdir(path).catch(() => []))
        await rm(join(path, part), { recursive: true, force: true })
    }
    await rm(path, { recursive: true, force: true })
  }
  await rmdir(folder).catch(() => undefined)
}
