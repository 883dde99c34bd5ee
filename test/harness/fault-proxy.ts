/**
 * A TCP proxy that does to connections what networks do: cuts, half-open ones, slow ones, bytes that nobody sent.
 *
 * Each direction has a mode, which holds for live connections from now on and for later ones; it can be changed at any time. Chance is
 * injected: the same seed cuts at the same bytes.
 */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { type Random, seededRandom } from '../../src/wire/http1/fuzz/random.ts'
import { FaultLane, type LaneMode } from './fault-lane.ts'
import { freePort } from './ports.ts'

export type { LaneMode } from './fault-lane.ts'

export type Direction = 'toTarget' | 'toClient'
/** With a RST, or in order with a FIN to both sides. */
export type CutKind = 'reset' | 'end'

export interface ProxiedConnection {
  readonly id: number
  /** Bytes that were passed on, or put in. */
  readonly passedBytes: Readonly<Record<Direction, number>>
  cut(how?: CutKind): void
}

export interface ProxyCounts {
  readonly accepted: number
  /** Connections that the proxy itself cut. */
  readonly cut: number
  readonly passedBytes: Readonly<Record<Direction, number>>
  /** Bytes that came in while a direction was stalled. */
  readonly swallowedBytes: number
}

export interface FaultProxy {
  /** `127.0.0.1:PORT`. */
  readonly address: string
  readonly port: number
  /** Both directions, unless one is named. A connection that lost bytes in a stall is reset when the stall ends: it cannot be made whole. */
  set(mode: LaneMode, direction?: Direction): void
  /** Cuts all live connections; new ones are taken. */
  cut(how?: CutKind): void
  /** Nobody listens from now on: a new connection is refused by the system. Live ones stay. */
  refuse(): Promise<void>
  /** Listens again, at the same port. */
  accept(): Promise<void>
  readonly connections: readonly ProxiedConnection[]
  readonly counts: ProxyCounts
  close(): Promise<void>
}

export interface FaultProxyOptions {
  readonly target: { readonly host?: string; readonly port: number }
  /** Of a fixed seed unless given. */
  readonly random?: Random
}

const SEED = 4

/** Passes everything until told otherwise. Closes with the test. */
export async function startFaultProxy(
  t: TestContext,
  { target, random = seededRandom(SEED) }: FaultProxyOptions,
): Promise<FaultProxy> {
  const live = new Map<number, Connection>()
  const modes: Record<Direction, LaneMode> = { toTarget: { kind: 'pass' }, toClient: { kind: 'pass' } }
  const counts = { accepted: 0, cut: 0, toTarget: 0, toClient: 0, swallowed: 0 }

  // Without `allowHalfOpen` the proxy would answer the FIN of one side with its own.
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const id = ++counts.accepted
    const upstream = connect({ host: '127.0.0.1', ...target, allowHalfOpen: true })
    const connection = proxied(id, client, upstream)
    live.set(id, connection)
    void connection.over.then(() => live.delete(id))
  })

  function proxied(id: number, client: Socket, upstream: Socket): Connection {
    const { promise: over, resolve } = Promise.withResolvers<void>()
    const cut = (how: CutKind = 'reset') => {
      if (client.destroyed && upstream.destroyed) return
      counts.cut += 1
      for (const socket of [client, upstream]) {
        if (how === 'reset') socket.resetAndDestroy()
        // What the other side says after that is met with a RST by the system.
        else socket.end(() => socket.destroy())
      }
    }
    const lane = (direction: Direction, source: Socket, sink: Socket) =>
      new FaultLane(source, sink, modes[direction], {
        random,
        cut,
        onPassed: (bytes) => (counts[direction] += bytes),
        onSwallowed: (bytes) => (counts.swallowed += bytes),
      })
    const lanes: Record<Direction, FaultLane> = {
      toTarget: lane('toTarget', client, upstream),
      toClient: lane('toClient', upstream, client),
    }
    const isSilent = () =>
      Object.values(lanes).some(({ mode }) => mode.kind === 'stall' || mode.kind === 'hold')
    let open = 2
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      // Resets are what the proxy is for.
      socket.on('error', () => {})
      socket.on('close', (hadError) => {
        // Where nothing passes, nobody learns of the death of the other side.
        if (hadError && !isSilent()) other.resetAndDestroy()
        open -= 1
        if (open === 0) resolve()
      })
    }
    for (const one of Object.values(lanes)) void one.run()
    return {
      id,
      lanes,
      over,
      cut,
      get passedBytes() {
        return { toTarget: lanes.toTarget.passedBytes, toClient: lanes.toClient.passedBytes }
      },
    }
  }

  const port = await freePort()
  const accept = async () => {
    if (!server.listening) await once(server.listen(port, '127.0.0.1'), 'listening')
  }
  const refuse = async () => {
    if (!server.listening) return
    // It stops listening at once, and says `close` only when the last connection is gone.
    server.close()
    await new Promise(setImmediate)
  }
  await accept()

  const close = async () => {
    await refuse()
    for (const connection of live.values()) connection.cut('reset')
    await Promise.all([...live.values()].map(({ over }) => over))
  }
  t.after(close)

  return {
    address: `127.0.0.1:${port}`,
    port,
    set(mode, direction) {
      for (const name of direction === undefined ? (['toTarget', 'toClient'] as const) : [direction]) {
        modes[name] = mode
        for (const connection of live.values()) connection.lanes[name].set(mode)
      }
    },
    cut(how) {
      for (const connection of live.values()) connection.cut(how)
    },
    refuse,
    accept,
    get connections() {
      return [...live.values()]
    },
    get counts() {
      const { accepted, cut, toTarget, toClient, swallowed } = counts
      return { accepted, cut, passedBytes: { toTarget, toClient }, swallowedBytes: swallowed }
    },
    close,
  }
}

interface Connection extends ProxiedConnection {
  readonly lanes: Readonly<Record<Direction, FaultLane>>
  readonly over: Promise<void>
}
