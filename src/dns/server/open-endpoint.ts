/** Opens the sockets of an endpoint: UDP and TCP beside each other for `dns`, TLS for `tls`, HTTP over TLS for `https`. */
import { once } from 'node:events'
import type { Server } from 'node:net'
import { networkInterfaces } from 'node:os'
import { createServer } from 'node:tls'
import { NodeUdpSocket } from '../../base/node-udp-socket.ts'
import type { PacketSocket } from '../../base/packet-socket.ts'
import { HAS_UDP_BATCHES, UdpSocket } from '../../base/udp-socket.ts'
import { type AnswerQuery, type Endpoint, type EndpointServer, endpointLabel } from '../endpoint.ts'
import { Answering, type AnsweringOptions } from './answering.ts'
import { HttpsServer } from './https-server.ts'
import { StreamServer } from './stream-server.ts'
import { TlsIdentity } from './tls-identity.ts'
import { UdpServer } from './udp-server.ts'

/** How long what is on its way may take when it ends. */
const LAST_ANSWERS_MS = 5000
/** Where a port was not named: UDP may have one whose TCP is somebody else's. */
const TRIES_MAX = 20
const BACKLOG = 4096

/**
 * `isShared`: other processes of this node have the same address, and each is given a part of what comes. Rejects with an error with `code`, as Node's
 * `listen` does, and leaves nothing open.
 */
export async function openEndpoint(
  endpoint: Endpoint,
  answer: AnswerQuery,
  options: AnsweringOptions,
  isShared = false,
): Promise<EndpointServer> {
  const answering = new Answering(endpoint, answer, options)
  if (endpoint.transport === 'tls') return await openTls(answering, isShared)
  if (endpoint.transport === 'https') return await openHttps(answering, isShared)
  for (let left = TRIES_MAX; ; left--) {
    try {
      return await openPlain(answering, isShared)
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
      if (endpoint.port !== 0 || !isTaken || left === 0) throw error
    }
  }
}

async function openPlain(answering: Answering, isShared: boolean): Promise<EndpointServer> {
  const { endpoint } = answering
  const host = hostOf(endpoint)
  const udp = await openSocket(host, endpoint.port, isShared)
  const tcp = new StreamServer(answering)
  try {
    await listen(tcp.server, host, udp.port, isShared)
  } catch (error) {
    udp.close()
    throw error
  }
  const packets = new UdpServer(udp, answering)
  return {
    address: addressOf(endpoint, udp.port),
    setTimeouts: (timeouts) => void (answering.timeouts = timeouts),
    close: async () => {
      await Promise.all([tcp.close(LAST_ANSWERS_MS), answering.idle(LAST_ANSWERS_MS)])
      packets.close()
    },
  }
}

/** By calls for many packets where this system has them. */
const openSocket = async (host: string, port: number, reusePort: boolean): Promise<PacketSocket> =>
  HAS_UDP_BATCHES
    ? UdpSocket.open({ host, port, reusePort })
    : await NodeUdpSocket.open({ host, port, reusePort })

async function openTls(answering: Answering, isShared: boolean): Promise<EndpointServer> {
  const { endpoint } = answering
  const identity = new TlsIdentity(endpoint)
  const streams = new StreamServer(answering, {
    createServer: () => {
      const server = createServer({
        ...identity.serverOptions(),
        ALPNProtocols: ['dot'],
        allowHalfOpen: true,
      })
      identity.follow(server)
      return server
    },
    admits: (socket) => identity.admits(socket),
  })
  try {
    const port = await listen(streams.server, hostOf(endpoint), endpoint.port, isShared)
    return {
      address: addressOf(endpoint, port),
      setTimeouts: (timeouts) => void (answering.timeouts = timeouts),
      changeTls: (tls) => identity.change(tls),
      close: async () => {
        identity.close()
        await streams.close(LAST_ANSWERS_MS)
      },
    }
  } catch (error) {
    identity.close()
    throw error
  }
}

async function openHttps(answering: Answering, isShared: boolean): Promise<EndpointServer> {
  const { endpoint } = answering
  const identity = new TlsIdentity(endpoint)
  try {
    const https = new HttpsServer(answering, identity)
    const port = await listen(https.server, hostOf(endpoint), endpoint.port, isShared)
    return {
      address: addressOf(endpoint, port),
      setTimeouts: (timeouts) => https.setTimeouts(timeouts),
      changeTls: (tls) => identity.change(tls),
      close: async () => {
        identity.close()
        await https.close(LAST_ANSWERS_MS)
      },
    }
  } catch (error) {
    identity.close()
    throw error
  }
}

async function listen(server: Server, host: string, port: number, reusePort: boolean): Promise<number> {
  server.listen({ host, port, reusePort, backlog: BACKLOG })
  await once(server, 'listening')
  return (server.address() as { readonly port: number }).port
}

/** `::` takes IPv4 as well; where there is no IPv6, it is all of IPv4. */
const hostOf = ({ host }: Endpoint): string => (host === '' ? anyHost() : host)

let any: string | undefined

function anyHost(): string {
  any ??= hasIpv6() ? '::' : '0.0.0.0'
  return any
}

/** Where there is any, this machine's own has it, too. */
const hasIpv6 = (): boolean =>
  Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ family }) => family === 'IPv6'))

const addressOf = (endpoint: Endpoint, port: number): string =>
  endpointLabel(endpoint.transport, endpoint.host === '' ? anyHost() : endpoint.host, port)
