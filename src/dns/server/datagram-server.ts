/** UDP by Node's own sockets, where the system has no calls for many packets. */
import { createSocket, type RemoteInfo } from 'node:dgram'
import { once } from 'node:events'
import type { DnsPeer } from '../query.ts'
import type { Answering } from './answering.ts'

export async function openDatagramServer(
  answering: Answering,
  host: string,
  port: number,
  reusePort: boolean,
): Promise<{ readonly port: number; close(): void }> {
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', reusePort })
  socket.bind({ address: host, port })
  await once(socket, 'listening')
  const own = socket.address().port
  socket.on('message', (bytes, from) => {
    const peer = peerOf(from, host, own, answering.endpoint.label)
    void answering.answerBytes(bytes, peer).then((answer) => {
      if (answer) socket.send(answer, from.port, from.address, () => undefined)
    })
  })
  socket.on('error', () => undefined)
  return { port: own, close: () => void socket.close() }
}

function peerOf({ address, port }: RemoteInfo, host: string, localPort: number, server: string): DnsPeer {
  const ip = address.replace(/^::ffff:(?=\d+\.)/, '')
  return {
    transport: 'dns',
    isUdp: true,
    isProven: false,
    server,
    ip: () => ip,
    port: () => port,
    localIp: () => host,
    localPort: () => localPort,
  }
}
