/** UDP by calls for many packets and by Node's own: the same comes of both. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { NodeUdpSocket } from '../../base/node-udp-socket.ts'
import type { PacketSocket, PacketSocketOptions } from '../../base/packet-socket.ts'
import { UdpSocket } from '../../base/udp-socket.ts'
import { DnsStream } from '../../contract/dns.ts'
import { OPTION, RCODE, TYPE } from '../../wire/dns/codes.ts'
import { DnsMessage } from '../../wire/dns/message.ts'
import { encodeMessage } from '../../wire/dns/message-writer.ts'
import { DnsName } from '../../wire/dns/name.ts'
import { edgesOf } from './testing/edges.ts'
import { UdpServer } from './udp-server.ts'

const KINDS: readonly [string, (options: PacketSocketOptions) => PacketSocket | Promise<PacketSocket>][] = [
  ['many packets a call', (options) => UdpSocket.open(options)],
  ['one packet a call', (options) => NodeUdpSocket.open(options)],
]

const question = (type: number, options: { code: number; data: Buffer }[] = []): Buffer => {
  const message = new DnsMessage()
  message.question.push({ name: DnsName.parse('example.org'), type, class: 1 })
  message.edns = { udpSize: 1232, version: 0, isDo: false, options }
  return encodeMessage(message)
}

for (const [kind, open] of KINDS)
  test(`${kind}: who asked and where is known, cookies prove an address, and a transfer is for TCP`, async (t) => {
    const seen: unknown[] = []
    const { answering } = edgesOf(async (query) => {
      await undefined
      seen.push([query.ip(), query.port(), query.localIp(), query.localPort(), query.isAddressProven])
      return query.qtype === TYPE.AXFR ? new DnsStream((async function* () {})()) : query.reply()
    })
    const socket = await open({ host: '127.0.0.1', port: 0, reusePort: false })
    const server = new UdpServer(socket, answering)
    t.after(() => server.close())
    const client = createSocket('udp4').bind(0, '127.0.0.1')
    t.after(() => client.close())
    await once(client, 'listening')
    const ask = async (bytes: Buffer): Promise<DnsMessage> => {
      client.send(bytes, socket.port, '127.0.0.1')
      const [answer] = (await once(client, 'message')) as [Buffer]
      return DnsMessage.decode(answer)
    }
    const first = await ask(question(TYPE.A, [{ code: OPTION.COOKIE, data: Buffer.from('00112233') }]))
    assert.equal((await ask(question(TYPE.A, first.edns!.options))).rcode, RCODE.NOERROR)
    const { port } = client.address()
    const who = ['127.0.0.1', port, '127.0.0.1', socket.port]
    assert.deepEqual(seen, [
      [...who, false],
      [...who, true],
    ])
    assert.equal(
      (await ask(question(TYPE.A, [{ code: OPTION.COOKIE, data: Buffer.from('short') }]))).rcode,
      1,
    )
    assert.equal((await ask(question(TYPE.AXFR))).isTruncated, true)
    await assert.rejects(async () => await open({ host: '127.0.0.1', port: socket.port, reusePort: false }), {
      code: 'EADDRINUSE',
    })
  })
