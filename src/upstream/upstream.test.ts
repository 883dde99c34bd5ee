/** Asking another server over UDP, and what of its answers is believed. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { test, type TestContext } from 'node:test'
import { eventually } from '../../test/harness/eventually.ts'
import { DnsMessage } from '../wire/dns/message.ts'
import { DnsName } from '../wire/dns/name.ts'
import { DnsRecord } from '../wire/dns/record.ts'
import { answerTo, faultServer, type FaultServerOptions } from './testing/fault-server.ts'
import { Upstream, type UpstreamOptions } from './upstream.ts'
import { parseUpstreamAddress } from './upstream-address.ts'
import type { UpstreamError, UpstreamFailure } from './upstream-error.ts'

function question(name = 'www.example.org', type = 1): DnsMessage {
  const message = new DnsMessage()
  message.id = 4711
  message.isRecursionDesired = true
  message.question.push({ name: DnsName.parse(name), type, class: 1 })
  return message
}

async function upstreamOf(t: TestContext, server: FaultServerOptions, options: UpstreamOptions = {}) {
  const started = await faultServer(t, server)
  const upstream = new Upstream(parseUpstreamAddress(started.address)!, options)
  t.after(() => upstream.close())
  return { server: started, upstream }
}

const failsAs = (failure: UpstreamFailure) => (error: UpstreamError) => {
  assert.equal(error.failure, failure, error.message)
  return true
}

test('an answer has the id and the question that was asked, whatever went over the wire', async (t) => {
  const ids: number[] = []
  const { upstream } = await upstreamOf(t, {
    onPacket: (query, send) => {
      ids.push(query.readUInt16BE(0))
      send(answerTo(query))
    },
  })
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => upstream.exchange(question('wWw.example.ORG'))),
  )
  for (const answer of answers) {
    assert.equal(answer.id, 4711)
    assert.equal(answer.question[0]!.name.toString(), 'wWw.example.ORG.')
    assert.deepEqual([...answer.answer[0]!.rdata], [192, 0, 2, 1])
  }
  assert.ok(new Set(ids).size > 15, 'ids are by chance')
  assert.equal(upstream.inFlight, 0)
})

/** An address that must not be believed. */
const lying = (query: Buffer, change: (answer: DnsMessage) => void = () => undefined): Buffer =>
  answerTo(query, (answer) => {
    answer.answer = [new DnsRecord(question().question[0]!.name, 1, 300, Buffer.from([203, 0, 113, 66]))]
    change(answer)
  })

const LIES: readonly (readonly [string, (query: Buffer) => Buffer])[] = [
  ['another id', (query) => lying(query, (answer) => (answer.id = (answer.id + 1) & 0xffff))],
  [
    'another name',
    (query) => lying(query, (answer) => (answer.question = question('evil.example.org').question)),
  ],
  [
    'a name as long',
    (query) => lying(query, (answer) => (answer.question = question('wwx.example.org').question)),
  ],
  [
    'another type',
    (query) => lying(query, (answer) => (answer.question = question('www.example.org', 28).question)),
  ],
  [
    'another class',
    (query) => lying(query, (answer) => (answer.question = [{ ...answer.question[0]!, class: 3 }])),
  ],
  ['two questions', (query) => lying(query, (answer) => answer.question.push(answer.question[0]!))],
  ['no question but an answer', (query) => lying(query, (answer) => (answer.question = []))],
  ['a question instead of an answer', (query) => query],
  ['another opcode', (query) => lying(query, (answer) => (answer.opcode = 4))],
  ['a header alone', (query) => lying(query).subarray(0, 11)],
  ['nothing', () => Buffer.alloc(0)],
  ['a name that ends elsewhere', (query) => lying(query).subarray(0, 20)],
]
for (const [lie, tell] of LIES)
  test(`an answer with ${lie} is passed over, and the true one behind it is taken`, async (t) => {
    const { upstream } = await upstreamOf(t, {
      onPacket: (query, send) => {
        send(tell(query))
        send(answerTo(query))
      },
    })
    const answer = await upstream.exchange(question())
    assert.deepEqual([...answer.answer[0]!.rdata], [192, 0, 2, 1])
  })

test('where only lies come, the error says so when the time is up, and nothing is left behind', async (t) => {
  const { upstream } = await upstreamOf(
    t,
    {
      onPacket: (query, send) =>
        send(answerTo(query, (answer) => (answer.question = question('evil.example').question))),
    },
    { timeoutMs: 100, expireMs: 50 },
  )
  await assert.rejects(upstream.exchange(question()), failsAs('mismatch'))
  assert.equal(upstream.inFlight, 0)
  await eventually(() => upstream.sockets === 0)
})

test('an answer from somewhere else is none, even with the right id and question', async (t) => {
  const stranger = createSocket('udp4')
  t.after(() => stranger.close())
  const { upstream } = await upstreamOf(
    t,
    { onPacket: (query, _send, port) => stranger.send(answerTo(query), port, '127.0.0.1') },
    { timeoutMs: 100 },
  )
  await assert.rejects(upstream.exchange(question()), failsAs('timeout'))
})

test('who never answers is given up in time', async (t) => {
  const { upstream } = await upstreamOf(t, {}, { timeoutMs: 100, expireMs: 50 })
  const results = await Promise.allSettled(Array.from({ length: 500 }, () => upstream.exchange(question())))
  for (const result of results) assert.equal(result.status, 'rejected')
  assert.equal(upstream.inFlight, 0)
  await eventually(() => upstream.sockets === 0)
})

test('where nobody listens, that is known at once', async (t) => {
  const { server, upstream } = await upstreamOf(t, {}, { timeoutMs: 60_000 })
  await server.stop()
  await assert.rejects(upstream.exchange(question()), failsAs('refused'))
  await assert.rejects(upstream.exchange(question(), true), failsAs('refused'))
})

test('so many questions may wait and not one more', async (t) => {
  const { upstream } = await upstreamOf(t, {}, { timeoutMs: 700 })
  const failures = new Map<string, number>()
  const asked = Array.from({ length: 20_000 }, async () => {
    try {
      await upstream.exchange(question())
    } catch (error) {
      const { failure } = error as UpstreamError
      failures.set(failure, (failures.get(failure) ?? 0) + 1)
    }
  })
  assert.ok(upstream.sockets <= 64, `${upstream.sockets} sockets`)
  await Promise.all(asked)
  assert.ok(failures.get('overloaded')! > 5000)
  assert.equal(failures.get('overloaded')! + failures.get('timeout')!, 20_000)
  assert.equal(upstream.inFlight, 0)
})

test('questions go out of many ports', async (t) => {
  const ports = new Set<number>()
  const { upstream } = await upstreamOf(t, {
    onPacket: (query, send, port) => {
      ports.add(port)
      send(answerTo(query))
    },
  })
  for (let round = 0; round < 40; round++)
    await Promise.all(Array.from({ length: 50 }, () => upstream.exchange(question())))
  assert.ok(ports.size > 12, `${ports.size} ports`)
  await eventually(() => upstream.sockets <= 8)
})

test('the case of letters counts where it is by chance, and nowhere else', async (t) => {
  const lowered = (query: Buffer) =>
    answerTo(query, (answer) => {
      const { name, ...asked } = answer.question[0]!
      answer.question = [{ ...asked, name: new DnsName(name.key) }]
    })
  const honest = await upstreamOf(
    t,
    { onPacket: (query, send) => send(answerTo(query)) },
    { isCaseRandom: true },
  )
  const name = 'a-name-with-many-letters.example.org'
  const answer = await honest.upstream.exchange(question(name))
  assert.equal(answer.question[0]!.name.toString(), `${name}.`)
  const forged = { onPacket: (query: Buffer, send: (answer: Buffer) => void) => send(lowered(query)) }
  const strict = await upstreamOf(t, forged, { isCaseRandom: true, timeoutMs: 100 })
  await assert.rejects(strict.upstream.exchange(question(name)), failsAs('mismatch'))
  const lax = await upstreamOf(t, forged)
  const taken = await lax.upstream.exchange(question('WWW.example.org'))
  assert.equal(taken.answer.length, 1)
})

test('an answer that cannot be read is an error; one that was cut off is truncated', async (t) => {
  let cutAt = 40
  const { upstream } = await upstreamOf(t, {
    onPacket: (query, send) =>
      send(answerTo(query, (answer) => (answer.isTruncated = cutAt === 41)).subarray(0, cutAt)),
  })
  await assert.rejects(upstream.exchange(question()), failsAs('malformed'))
  cutAt = 41
  const answer = await upstream.exchange(question())
  assert.equal(answer.isTruncated, true)
  assert.equal(answer.answer.length, 0)
})

test('an error without a question is taken as the answer', async (t) => {
  const { upstream } = await upstreamOf(t, {
    onPacket: (query, send) =>
      send(
        answerTo(query, (answer) => {
          Object.assign(answer, { question: [], answer: [], rcode: 1 })
        }),
      ),
  })
  const answer = await upstream.exchange(question())
  assert.equal(answer.rcode, 1)
})
