/** Listens on UDP alone, one packet at a time: in the place of the real servers until they stand. */
import { createSocket, type RemoteInfo } from 'node:dgram'
import { answerBytes } from './answer-bytes.ts'
import { type AnswerQuery, type Endpoint, type EndpointServer, endpointLabel } from './endpoint.ts'
import type { DnsPeer } from './query.ts'

/** `isShared`: other processes have the same address, and each is given a part of what comes. */
export async function openPlainServer(
  endpoint: Endpoint,
  answer: AnswerQuery,
  isShared = false,
): Promise<EndpointServer> {
  const host = endpoint.host === '' ? '0.0.0.0' : endpoint.host
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', reusePort: isShared })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ address: host, port: endpoint.port }, resolve)
  })
  socket.on('message', (bytes, from) => void reply(bytes, from))
  const reply = async (bytes: Buffer, from: RemoteInfo): Promise<void> => {
    const written = await answerBytes(bytes, peerOf(from, endpoint), answer)
    if (!written) return
    socket.send(written, from.port, from.address)
  }
  const { address, port } = socket.address()
  return {
    address: endpointLabel(endpoint.transport, address, port),
    close: () => new Promise((resolve) => void socket.close(() => resolve())),
  }
}

const peerOf = (from: RemoteInfo, endpoint: Endpoint): DnsPeer => ({
  transport: endpoint.transport,
  isUdp: true,
  server: endpoint.label,
  ip: () => from.address,
  port: () => from.port,
  localIp: () => endpoint.host,
  localPort: () => endpoint.port,
  isProven: false,
})
