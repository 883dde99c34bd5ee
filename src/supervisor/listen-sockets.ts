/**
 * The sockets that clients connect to: held by the supervisor, accepted from by workers.
 *
 * For every address each worker has one of its own (SO_REUSEPORT), over which the kernel spreads the connections. A worker that dies
 * leaves its socket behind: what the kernel has taken meanwhile waits for the next one, and is not reset. The same
 * sockets go on to the next program at an upgrade, so at no moment is a connection refused.
 */
import { type ListenSocket, openListenSocket } from '../base/listen-socket.ts'
import { addressError, joinAddress, probeAddress, splitAddress } from './ports.ts'

/** Connections that the kernel takes before a worker accepts them. */
const BACKLOG = 4096

/** A socket of a worker, and which of the configured listeners it belongs to. */
export interface WorkerSocket {
  readonly listener: number
  readonly fd: number
}

interface Held {
  readonly listener: number
  readonly socket: ListenSocket
}

/** How sockets are named when they are handed on: by the address, and where several listen at the same one (with port 0), by their order. */
const inheritanceKeys = (configured: readonly string[]): string[] =>
  configured.map((address, index) => {
    const earlier = configured.slice(0, index).filter((other) => other === address).length
    return earlier === 0 ? address : `${address} ${earlier + 1}`
  })

export class ListenSockets {
  /** With the ports that the system chose where 0 was asked for. */
  readonly addresses: readonly string[]
  /** Where workers answer DNS, as the last one said that became ready. */
  dns: readonly string[] = []
  readonly #keys: readonly string[]
  readonly #slots: Held[][]

  private constructor(addresses: readonly string[], keys: readonly string[], slots: Held[][]) {
    this.addresses = addresses
    this.#keys = keys
    this.#slots = slots
  }

  /**
   * Opens a socket for each address and worker. `inherited` are those of the program before, by `inheritanceKeys`: they are taken first, so
   * that no connection in them is lost, and may be more than there are workers; what is listened at no longer is closed. Throws what an operator understands; none is left open then.
   */
  static async open(
    configured: readonly string[],
    workers: number,
    inherited: ReadonlyMap<string, readonly ListenSocket[]> = new Map(),
  ): Promise<ListenSockets> {
    const slots: Held[][] = Array.from({ length: workers }, () => [])
    const addresses: string[] = []
    try {
      // All of them before one is opened: `0.0.0.0:80` and `127.0.0.1:80` may both be ours, and are in each other's way.
      const keys = inheritanceKeys(configured)
      for (const [listener, text] of configured.entries())
        if (!inherited.has(keys[listener]!)) await probeAddress(text)
      for (const [listener, text] of configured.entries()) {
        const given = inherited.get(keys[listener]!) ?? []
        const { host, port } = splitAddress(text)
        const known = given[0]?.port ?? port
        let address = joinAddress({ host, port: known })
        for (let index = 0; index < Math.max(workers, given.length); index++) {
          const socket = given[index] ?? (await openShared(address))
          address = joinAddress({ host, port: socket.port })
          slots[index % workers]!.push({ listener, socket })
        }
        addresses.push(address)
      }
      for (const [key, sockets] of inherited)
        if (!keys.includes(key)) for (const socket of sockets) socket.close()
      return new ListenSockets(addresses, keys, slots)
    } catch (error) {
      for (const held of slots.flat()) held.socket.close()
      throw error
    }
  }

  /** The sockets of a worker, opened again where they were given up. */
  async of(worker: number): Promise<readonly WorkerSocket[]> {
    const slot = this.#slots[worker]!
    if (slot.length === 0) {
      try {
        for (const [listener, address] of this.addresses.entries())
          slot.push({ listener, socket: await openShared(address) })
      } catch (error) {
        // All or none: with some of them it would look as if nothing were missing.
        this.giveUp(worker)
        throw error
      }
    }
    return slot.map(({ listener, socket: { fd } }) => ({ listener, fd }))
  }

  /** Of a worker that does not come back soon: the kernel spreads over the others what would have waited for it. */
  giveUp(worker: number): void {
    for (const { socket } of this.#slots[worker]!.splice(0)) socket.close()
  }

  /** All of them, for the program that takes over. */
  inheritance(): readonly { readonly address: string; readonly fd: number }[] {
    return this.#slots.flat().map(({ listener, socket: { fd } }) => ({ address: this.#keys[listener]!, fd }))
  }

  /** Those who accept from them have their own descriptors, and go on. */
  close(): void {
    for (const worker of this.#slots.keys()) this.giveUp(worker)
  }
}

async function openShared(address: string): Promise<ListenSocket> {
  try {
    return await openListenSocket({ ...splitAddress(address), reusePort: true, backlog: BACKLOG })
  } catch (error) {
    throw addressError(error as NodeJS.ErrnoException, address)
  }
}
