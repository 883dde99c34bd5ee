/** Listens on UDP alone, one packet at a time: in the place of the real servers until they stand. */
import { createSocket, type RemoteInfo } from 'node:dgram'
import { DROPPED, type DnsOutcome } from '../contract/dns.ts'
import { RCODE } from '../wire/dns/codes.ts'
import { DnsMessage } from '../wire/dns/message.ts'
import { encodeMessage } from '../wire/dns/message-writer.ts'
import { type AnswerQuery, type Endpoint, type EndpointServer, endpointLabel } from './endpoint.ts'
import { ServerQuery } from './query.ts'

export async function openPlainServer(endpoint: Endpoint, answer: AnswerQuery): Promise<EndpointServer> {
  const host = endpoint.host === '' ? '0.0.0.0' : endpoint.host
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4' })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ address: host, port: endpoint.port }, resolve)
  })
  socket.on('message', (bytes, from) => void reply(bytes, from))
  const reply = async (bytes: Buffer, from: RemoteInfo): Promise<void> => {
    const query = queryOf(bytes, from, endpoint)
    if (!query) return
    const outcome: DnsOutcome = await answer(query)
    if (outcome === DROPPED || !(outcome instanceof DnsMessage || typeof outcome === 'number')) return
    const [message, written] = encoded(query, outcome)
    query.counts?.answered(query, message.rcode, written.length)
    socket.send(written, from.port, from.address)
  }
  const { address, port } = socket.address()
  return {
    address: endpointLabel(endpoint.transport, address, port),
    close: () => new Promise((resolve) => void socket.close(() => resolve())),
  }
}

function queryOf(bytes: Buffer, from: RemoteInfo, endpoint: Endpoint): ServerQuery | undefined {
  try {
    const message = DnsMessage.decode(bytes)
    const [question] = message.question
    if (!question || message.isResponse) return undefined
    const { id, opcode, isRecursionDesired, isCheckingDisabled, edns } = message
    return new ServerQuery(
      { ...question, id, opcode, isRecursionDesired, isCheckingDisabled, edns },
      {
        transport: endpoint.transport,
        isUdp: true,
        server: endpoint.label,
        ip: () => from.address,
        port: () => from.port,
        localIp: () => endpoint.host,
        localPort: () => endpoint.port,
        isProven: false,
      },
      bytes,
      performance.now(),
    )
  } catch {
    return undefined
  }
}

/** What a plugin made of it may be none that can be written. */
function encoded(query: ServerQuery, outcome: DnsMessage | number): readonly [DnsMessage, Buffer] {
  try {
    const message = outcome instanceof DnsMessage ? outcome : query.reply(outcome)
    return [message, encodeMessage(message, query.size())]
  } catch {
    const failed = query.reply(RCODE.SERVFAIL)
    return [failed, encodeMessage(failed, query.size())]
  }
}
