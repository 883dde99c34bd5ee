/** Origins that are down, slow, cut, wrong or early: a clear status or a cut connection, never something mixed or half kept. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { answerWith, startOrigin, startRawOrigin } from '../harness/origin.ts'
import { startNode } from '../harness/node.ts'
import { RawClient } from '../harness/raw-client.ts'

const CACHEABLE = 'cache-control: max-age=60\r\n'

test('what an origin does wrong reaches the client as a clear status or a cut', async (t) => {
  let behave: (socket: Socket) => void = () => {}
  const origin = await startRawOrigin(t, (socket) => behave(socket))
  const node = await startNode(t, {
    config: {
      sites: [
        {
          origin: { endpoints: [origin.url], timeouts: { connect: '1s', response: '300ms' } },
          cache: {},
        },
      ],
    },
  })
  let path = 0
  /** Each case has an address of its own: none is answered by what another one left. */
  const fresh = () => `/${(path += 1)}`

  await t.test('garbage is a 502 that says so', async () => {
    behave = answerWith('220 mail.example.org ESMTP\r\n\r\n')
    const answer = await node.request(fresh())
    assert.equal(answer.status, 502)
    assert.match(answer.text, /not HTTP\/1\.1/)
    assert.match(String(answer.headers['proxy-status']), /^orla; error=http_protocol_error/)
  })

  await t.test('a closed connection without an answer is a 502', async () => {
    behave = (socket) => socket.on('data', () => socket.destroy())
    const answer = await node.request(fresh())
    assert.equal(answer.status, 502)
    assert.match(answer.text, /closed the connection before it answered/)
  })

  await t.test('silence is a 504', async () => {
    behave = () => {}
    const answer = await node.request(fresh())
    assert.equal(answer.status, 504)
    assert.match(answer.text, /did not answer in time/)
  })

  for (const [how, bytes] of [
    ['two lengths', `HTTP/1.1 200 OK\r\n${CACHEABLE}content-length: 2\r\ncontent-length: 3\r\n\r\nabc`],
    [
      'a length beside chunks',
      `HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['a bare LF', 'HTTP/1.1 200 OK\ncontent-length: 0\r\n\r\n'],
    ['a folded header', 'HTTP/1.1 200 OK\r\nx-a: 1\r\n 2\r\ncontent-length: 0\r\n\r\n'],
    ['a status that is none', 'HTTP/1.1 99 Low\r\ncontent-length: 0\r\n\r\n'],
  ] as const) {
    await t.test(`${how} in the head is a 502`, async () => {
      behave = answerWith(bytes)
      assert.equal((await node.request(fresh())).status, 502)
    })
  }

  for (const [how, bytes, after] of [
    ['shorter than its length', `HTTP/1.1 200 OK\r\n${CACHEABLE}content-length: 10\r\n\r\nabc`, 'end'],
    ['reset in the middle', `HTTP/1.1 200 OK\r\n${CACHEABLE}content-length: 10\r\n\r\nabc`, 'reset'],
    [
      'without its last chunk',
      `HTTP/1.1 200 OK\r\n${CACHEABLE}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n`,
      'end',
    ],
    [
      'with a bad chunk',
      `HTTP/1.1 200 OK\r\n${CACHEABLE}transfer-encoding: chunked\r\n\r\n3\r\nabcdef\r\n`,
      'stay',
    ],
    ['that stops coming', `HTTP/1.1 200 OK\r\n${CACHEABLE}content-length: 10\r\n\r\nabc`, 'stay'],
  ] as const) {
    await t.test(`a body ${how} is cut for the client and not kept`, async () => {
      const target = fresh()
      behave = answerWith(bytes, (socket) => {
        if (after === 'end') socket.end()
        if (after === 'reset') socket.resetAndDestroy()
      })
      const client = await RawClient.connect(node.url)
      client.send(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)
      const received = await client.readAll()
      assert.doesNotMatch(received, /\r\n0\r\n\r\n$/)
      assert.ok(!received.includes('\r\n\r\n') || !/content-length: 3\r\n/.test(received))
      behave = answerWith(
        `HTTP/1.1 200 OK\r\n${CACHEABLE}connection: close\r\ncontent-length: 5\r\n\r\nwhole`,
      )
      const again = await node.request(target)
      assert.equal(again.text, 'whole')
      assert.match(String(again.headers['cache-status']), /fwd=uri-miss/)
    })
  }

  await t.test('an HTTP/1.0 client can tell a cut body of unknown length from a whole one', async () => {
    behave = answerWith('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n', (socket) =>
      socket.end(),
    )
    const client = await RawClient.connect(node.url)
    let error: NodeJS.ErrnoException | undefined
    client.socket.on('error', (cause) => (error = cause))
    client.send(`GET ${fresh()} HTTP/1.0\r\n\r\n`)
    await client.readAll()
    assert.equal(error?.code, 'ECONNRESET')
  })

  await t.test('what an origin sends beyond its answer is never part of the next one', async () => {
    behave = answerWith(
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil',
    )
    for (let i = 0; i < 5; i += 1) assert.equal((await node.request(fresh())).text, 'ok')
  })

  await t.test('an answer before the request is complete is passed on', async () => {
    behave = answerWith('HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig', (socket) =>
      socket.pause(),
    )
    const client = await RawClient.connect(node.url)
    // Enough of it that the origin is asked.
    const some = 'some'.repeat(5000)
    client.send(`POST ${fresh()} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n${some}`)
    const answer = await client.readResponse()
    assert.match(answer, /^HTTP\/1\.1 413 .*connection: close\r\n.*big$/s)
    client.close()
  })

  await t.test(
    'a kept connection that the origin closed is replaced without the client noticing',
    async () => {
      let served = 0
      behave = answerWith('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok', (socket) => {
        served += 1
        setImmediate(() => socket.destroy())
      })
      for (let i = 0; i < 10; i += 1) assert.equal((await node.request(fresh())).status, 200)
      assert.ok(served >= 10)
    },
  )

  await t.test('an answer until the close of the connection is whole', async () => {
    behave = answerWith('HTTP/1.0 200 OK\r\n\r\nuntil the end', (socket) => socket.end())
    assert.equal((await node.request(fresh())).text, 'until the end')
  })

  await t.test('hints pass, and the answer after them', async () => {
    behave = answerWith(
      'HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
    )
    const client = await RawClient.connect(node.url)
    client.send(`GET ${fresh()} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    assert.match(
      await client.readAll(),
      /^HTTP\/1\.1 103 Early Hints\r\nlink: <\/a\.css>\r\n\r\nHTTP\/1\.1 200 OK/,
    )
  })
})

test('an origin that is down is a 502 that names the reason and no address', async (t) => {
  const gone = await startOrigin(t)
  await gone.close()
  const node = await startNode(t, { config: { sites: [{ origin: gone.url, cache: {} }] } })
  const answer = await node.request('/')
  assert.equal(answer.status, 502)
  assert.match(answer.text, /the origin refused the connection/)
  assert.ok(!answer.text.includes(String(gone.port)))
  await eventually(() => node.stderr().includes(`:${gone.port}`))
})
