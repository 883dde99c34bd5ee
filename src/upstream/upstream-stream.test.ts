/** Asking another server over TCP and TLS: connections that are shared, break, trickle and lie. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { createSecureContext, type TLSSocket } from 'node:tls'
import { certificateMaker } from '../../test/harness/certificates.ts'
import { eventually } from '../../test/harness/eventually.ts'
import { DnsMessage } from '../wire/dns/message.ts'
import { DnsName } from '../wire/dns/name.ts'
import { DnsRecord } from '../wire/dns/record.ts'
import type { UpstreamTls } from './stream-link.ts'
import { answerTo, faultServer, framed, type FaultServerOptions } from './testing/fault-server.ts'
import { Upstream, type UpstreamOptions } from './upstream.ts'
import { parseUpstreamAddress } from './upstream-address.ts'
import type { UpstreamError, UpstreamFailure } from './upstream-error.ts'

function question(name = 'www.example.org'): DnsMessage {
  const message = new DnsMessage()
  message.question.push({ name: DnsName.parse(name), type: 1, class: 1 })
  return message
}

async function upstreamOf(t: TestContext, server: FaultServerOptions, options: UpstreamOptions = {}) {
  const started = await faultServer(t, server)
  const scheme = options.tls ? 'tls://' : ''
  const upstream = new Upstream(parseUpstreamAddress(scheme + started.address)!, options)
  t.after(() => upstream.close())
  return { server: started, upstream }
}

const failsAs = (failure: UpstreamFailure) => (error: UpstreamError) => {
  assert.equal(error.failure, failure, error.message)
  return true
}
const answers = (query: Buffer, socket: Socket) => void socket.write(framed(answerTo(query)))

test('many questions share few connections, and answers come in any order', async (t) => {
  const held: (() => void)[] = []
  const { server, upstream } = await upstreamOf(t, {
    onFrame: (query, socket) => {
      held.push(() => answers(query, socket))
      if (held.length === 200) for (const answer of held.toReversed()) answer()
    },
  })
  const names = Array.from({ length: 200 }, (_, index) => `n${index}.example.org`)
  const all = await Promise.all(names.map((name) => upstream.exchange(question(name), true)))
  assert.deepEqual(
    all.map(({ answer }) => answer[0]!.name.toString()),
    names.map((name) => `${name}.`),
  )
  assert.ok(server.accepted <= 8, `${server.accepted} connections`)
})

test('a connection that is not used is closed', async (t) => {
  const { server, upstream } = await upstreamOf(t, { onFrame: answers }, { expireMs: 30 })
  await upstream.exchange(question(), true)
  await upstream.exchange(question(), true)
  assert.equal(server.accepted, 1)
  await eventually(() => upstream.sockets === 0 && server.connections.size === 0)
})

test('a connection that its server closed as we wrote is no failure', async (t) => {
  let count = 0
  const { server, upstream } = await upstreamOf(t, {
    onFrame: (query, socket) => {
      count += 1
      if (count === 2) socket.destroy()
      else answers(query, socket)
    },
  })
  await upstream.exchange(question(), true)
  const answer = await upstream.exchange(question(), true)
  assert.equal(answer.answer.length, 1)
  assert.equal(server.accepted, 2)
})

const FAULTS: readonly (readonly [string, UpstreamFailure, (query: Buffer, socket: Socket) => void])[] = [
  ['closes at once', 'closed', (_, socket) => socket.end()],
  ['resets', 'closed', (_, socket) => socket.resetAndDestroy()],
  [
    'stops in the middle of an answer',
    'closed',
    (query, socket) => socket.end(framed(answerTo(query)).subarray(0, 20)),
  ],
  ['says a length and nothing more', 'timeout', (_, socket) => socket.write(Buffer.from([0xff, 0xff]))],
  [
    'trickles',
    'timeout',
    (query, socket) => {
      const bytes = framed(answerTo(query))
      let at = 0
      const timer = setInterval(() => socket.write(bytes.subarray(at, ++at)), 20)
      socket.on('close', () => clearInterval(timer))
    },
  ],
  [
    'answers what nobody asked, for ever',
    'mismatch',
    (query, socket) => {
      const wrong = framed(answerTo(query, (answer) => (answer.id = (answer.id + 1) & 0xffff)))
      const timer = setInterval(() => socket.write(Buffer.concat([wrong, wrong, wrong])), 1)
      socket.on('close', () => clearInterval(timer))
    },
  ],
  [
    'answers another question',
    'mismatch',
    (query, socket) =>
      socket.write(
        framed(answerTo(query, (answer) => (answer.question = question('evil.example').question))),
      ),
  ],
  [
    'answers with garbage',
    'malformed',
    (query, socket) => socket.write(framed(answerTo(query).subarray(0, 40))),
  ],
  ['sends nothing but empty frames', 'mismatch', (_, socket) => socket.write(Buffer.alloc(100))],
]
for (const [fault, failure, act] of FAULTS)
  test(`a server that ${fault}: ${failure}, and nothing is left behind`, async (t) => {
    const { server, upstream } = await upstreamOf(t, { onFrame: act }, { timeoutMs: 250, expireMs: 50 })
    await assert.rejects(upstream.exchange(question(), true), failsAs(failure))
    assert.equal(upstream.inFlight, 0)
    await eventually(() => upstream.sockets === 0 && server.connections.size === 0)
  })

test('a connection that let a question wait for too long takes no more', async (t) => {
  const { server, upstream } = await upstreamOf(
    t,
    { onFrame: (query, socket) => void (server.accepted > 1 && answers(query, socket)) },
    { timeoutMs: 400 },
  )
  const first = upstream.exchange(question(), true)
  await eventually(() => server.accepted === 1)
  await assert.rejects(first, failsAs('timeout'))
  assert.equal((await upstream.exchange(question(), true)).answer.length, 1)
  assert.equal(server.accepted, 2)
  await eventually(() => server.connections.size === 1)
})

test('a giant answer is taken whole', async (t) => {
  const { upstream } = await upstreamOf(t, {
    onFrame: (query, socket) =>
      socket.write(
        framed(
          answerTo(query, ({ answer }) => {
            const { name } = answer[0]!
            for (let index = 0; index < 4000; index++)
              answer.push(new DnsRecord(name, 1, 300, Buffer.from([10, 0, index >> 8, index & 0xff])))
          }),
        ),
      ),
  })
  const answer = await upstream.exchange(question(), true)
  assert.equal(answer.answer.length, 4001)
})

test('so many questions may wait for a server over TCP, and not one more', async (t) => {
  const { server, upstream } = await upstreamOf(t, {}, { timeoutMs: 500 })
  const results = await Promise.allSettled(
    Array.from({ length: 1500 }, () => upstream.exchange(question(), true)),
  )
  const failures = results.map((result) => (result as PromiseRejectedResult).reason.failure)
  assert.equal(failures.filter((failure) => failure === 'overloaded').length, 1500 - 8 * 128)
  assert.equal(server.accepted, 8)
})

test('what is on its way when we end is still answered, and then all is closed', async (t) => {
  const { server, upstream } = await upstreamOf(t, {
    onFrame: (query, socket) => void setTimeout(() => answers(query, socket), 50),
  })
  const late = upstream.exchange(question(), true)
  upstream.close()
  await assert.rejects(upstream.exchange(question(), true), failsAs('stopped'))
  const answer = await late
  assert.equal(answer.answer.length, 1)
  await eventually(() => upstream.sockets === 0 && server.connections.size === 0)
})

test('over TLS the certificate must be right, and sessions are used again', async (t) => {
  const maker = certificateMaker(t)
  const ca = maker.make('server', ['dns.example.org'])
  const isReused: boolean[] = []
  const server = {
    tls: { cert: readFileSync(ca.cert), key: readFileSync(ca.key) },
    onFrame: answers,
    onConnection: (socket: Socket) => void isReused.push((socket as TLSSocket).isSessionReused()),
  }
  const tlsFor = (serverName: string, trusted = true): UpstreamTls => ({
    context: createSecureContext(trusted ? { ca: readFileSync(ca.cert) } : {}),
    serverName,
    session: undefined,
  })
  const good = await upstreamOf(t, server, { tls: tlsFor('dns.example.org'), expireMs: 30 })
  await good.upstream.exchange(question())
  await eventually(() => good.upstream.sockets === 0)
  const answer = await good.upstream.exchange(question())
  assert.equal(answer.answer.length, 1)
  assert.deepEqual(isReused, [false, true])
  const wrongName = await upstreamOf(t, server, { tls: tlsFor('other.example.org') })
  await assert.rejects(wrongName.upstream.exchange(question()), failsAs('untrusted'))
  const byAddress = await upstreamOf(t, server, { tls: tlsFor('') })
  await assert.rejects(byAddress.upstream.exchange(question()), failsAs('untrusted'))
  const untrusted = await upstreamOf(t, server, { tls: tlsFor('dns.example.org', false) })
  await assert.rejects(untrusted.upstream.exchange(question()), failsAs('untrusted'))
})
