import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ask, originOf } from './testing/ask.ts'
import { rawServer, until, type RawConnection } from './testing/raw-server.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** A port where nobody listens. */
async function closedPort(): Promise<string> {
  const server = await rawServer(() => {})
  server.close()
  return server.url
}

test('a connection is used again, the one used last first', async () => {
  const server = await rawServer(({ socket, index }) =>
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${index}`),
  )
  const origin = originOf([server.url])
  await Promise.all([ask(origin).over, ask(origin).over, ask(origin).over])
  const last = (await ask(origin).over).body
  for (let i = 0; i < 5; i++) {
    const answer = await ask(origin).over
    assert.equal(answer.body, last)
    assert.equal(answer.call.connectMs, 0)
    assert.ok(answer.call.responseMs > 0)
    assert.equal(answer.call.endpoint, server.url)
  }
  assert.equal(server.connections.length, 3)
  origin.close()
  await until('all are closed', () => server.connections.every(({ isClosed }) => isClosed))
  server.close()
})

/** Answers the first request of a connection; at the second, does as told. */
async function secondTime(then: (connection: RawConnection) => void) {
  const server = await rawServer((connection) => {
    const isFirst = connection.received.split('\r\n\r\n').length === 2
    if (isFirst && connection.index === 0) connection.socket.write(OK)
    else then(connection)
  })
  const origin = originOf([server.url])
  await ask(origin).over
  return { server, origin }
}

test('a request on a kept connection that is closed under it is sent once more, if it is idempotent', async () => {
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']) {
    const { server, origin } = await secondTime(({ socket, index }) => {
      if (index === 0) socket.resetAndDestroy()
      else socket.write(method === 'HEAD' ? 'HTTP/1.1 200 OK\r\n\r\n' : OK)
    })
    const answer = await ask(origin, { method }).over
    assert.equal(answer.error, undefined, method)
    assert.equal(answer.head?.status, 200)
    assert.equal(server.connections.length, 2)
    assert.equal(server.connections[1]!.received.split(' ')[0], method)
    origin.close()
    server.close()
  }
})

test('it is not sent again where that could do something twice, or answer something else', async () => {
  const cases: readonly (readonly [name: string, request: Parameters<typeof ask>[1], text: string])[] = [
    ['not idempotent', { method: 'POST' }, ''],
    ['not idempotent', { method: 'PATCH' }, ''],
    ['unknown', { method: 'PURGE' }, ''],
    ['its body was sent', { method: 'PUT', body: 3, pieces: ['abc'] }, ''],
    ['an answer had begun', { method: 'GET' }, 'H'],
  ]
  for (const [name, request, text] of cases) {
    const { server, origin } = await secondTime(({ socket }) => socket.end(text))
    const answer = await ask(origin, request).over
    assert.equal(answer.error?.code, 'origin-closed', name)
    assert.equal(server.connections.length, 1, name)
    origin.close()
    server.close()
  }
})

test('it is sent once more, not again and again', async () => {
  const { server, origin } = await secondTime(({ socket }) => socket.end())
  const answer = await ask(origin).over
  assert.equal(answer.error?.code, 'origin-closed')
  assert.equal(server.connections.length, 2)
  origin.close()
  server.close()
})

test('on a new connection nothing is sent twice', async () => {
  const server = await rawServer(({ socket }) => socket.end())
  const origin = originOf([server.url])
  assert.equal((await ask(origin).over).error?.code, 'origin-closed')
  assert.equal(server.connections.length, 1)
  server.close()
})

test('connections that the origin closed while they waited are not used', async () => {
  const server = await rawServer(({ socket }) => socket.write(OK))
  const origin = originOf([server.url])
  await ask(origin).over
  server.connections[0]!.socket.end()
  await until('it is closed', () => server.connections[0]!.isClosed)
  assert.equal((await ask(origin, { method: 'POST', body: 'none' }).over).body, 'ok')
  origin.close()
  server.close()
})

test('an idle connection is closed after its time, or sooner where the origin says so', async () => {
  const server = await rawServer(({ socket }) => socket.write(OK))
  const origin = originOf([server.url], { times: { idle: 40 } })
  await ask(origin).over
  await until('it is closed', () => server.connections[0]!.isClosed)
  server.close()

  const hasty = await rawServer(({ socket }) =>
    socket.write(OK.replace('\r\n\r\n', '\r\nKeep-Alive: timeout=1, max=9\r\n\r\n')),
  )
  const patient = originOf([hasty.url], { times: { idle: 60_000 } })
  const started = performance.now()
  await ask(patient).over
  await until('it is closed', () => hasty.connections[0]!.isClosed)
  assert.ok(performance.now() - started < 5000)
  hasty.close()
})

test('endpoints take turns, and one that refuses is passed over with the body intact', async () => {
  const answering = (name: string) =>
    rawServer(({ socket, received }) => {
      if (received.includes('\r\n\r\n') && (!received.startsWith('POST') || received.endsWith('body')))
        socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n${name}`)
    })
  const [a, b] = [await answering('a'), await answering('b')]
  const both = originOf([a.url, b.url])
  const seen: string[] = []
  for (let i = 0; i < 4; i++) seen.push((await ask(both).over).body)
  assert.ok(seen.join('') === 'abab' || seen.join('') === 'baba', seen.join(''))

  const half = originOf([a.url, await closedPort()])
  for (let i = 0; i < 4; i++) {
    const answer = await ask(half, { method: 'POST', body: 4, pieces: ['bo', 'dy'] }).over
    assert.equal(answer.error, undefined)
    assert.equal(answer.call.endpoint, a.url)
  }
  a.close()
  b.close()
})

test('where nobody listens, the error says where', async () => {
  const url = await closedPort()
  const answer = await ask(originOf([url, await closedPort()])).over
  assert.equal(answer.error?.code, 'origin-refused')
  assert.match(answer.error.message, /127\.0\.0\.1:\d+ refused/)
  const unknown = await ask(originOf(['http://origin.invalid'])).over
  assert.equal(unknown.error?.code, 'origin-unresolved')
  assert.match(unknown.error.message, /http:\/\/origin\.invalid/)
})

test('a name is reached at whichever of its addresses answers', async () => {
  const server = await rawServer(({ socket }) => socket.write(OK))
  // Mostly [::1] too, where nobody listens.
  const origin = originOf([`http://localhost:${server.port}`])
  assert.equal((await ask(origin).over).body, 'ok')
  assert.equal((await ask(origin).over).body, 'ok')
  assert.equal(server.connections.length, 1)
  origin.close()
  server.close()
})

test('connections are bounded, and requests beyond them wait their turn', async () => {
  const waiting: RawConnection[] = []
  const server = await rawServer((connection) => waiting.push(connection))
  const origin = originOf([server.url], { connectionsMax: 2 })
  const answers = Array.from({ length: 6 }, (_, i) => ask(origin, { target: `/${i}` }))
  for (let served = 0; served < 6; served++) {
    await until('a request comes', () => waiting.length > 0)
    waiting.shift()!.socket.write(OK)
  }
  for (const answer of answers) assert.equal((await answer.over).body, 'ok')
  assert.equal(server.connections.length, 2)
  const order = server.connections.map(({ received }) => received).join('')
  for (let i = 0; i < 6; i++) assert.ok(order.includes(`GET /${i} `))
  origin.close()
  server.close()
})

test('a queue that is full, or does not move, is an error of its own', async () => {
  const server = await rawServer(() => {})
  const origin = originOf([server.url], { connectionsMax: 1, times: { connect: 60 } })
  const first = ask(origin)
  const queued = Array.from({ length: 5 }, () => ask(origin))
  const refused = await queued[4]!.over
  assert.equal(refused.error?.code, 'origin-busy')
  assert.match(refused.error.message, /in use/)
  assert.equal(refused.error.status, 503)
  for (const answer of queued.slice(0, 4)) {
    assert.match((await answer.over).error!.message, /came free within 60 ms/)
  }
  assert.equal(first.isOver, false)
  first.call.abort()
  server.close()
})

test('who gives up hears nothing more, and the connection is not used again', async () => {
  const server = await rawServer(({ socket }) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart'),
  )
  const origin = originOf([server.url], { connectionsMax: 2 })
  const atHead = ask(origin, { onHead: (call) => call.abort() })
  const atData = ask(origin, {
    onData: (_, call) => {
      call.abort()
      return true
    },
  })
  const inQueue = ask(origin)
  inQueue.call.abort()
  await until(
    'both are closed',
    () => server.connections.length === 2 && server.connections.every((one) => one.isClosed),
  )
  const whileConnecting = ask(origin)
  whileConnecting.call.abort()
  assert.deepEqual([atHead.told, atData.told], [['head'], ['head', 'data']])
  assert.deepEqual([inQueue.told, whileConnecting.told], [[], []])
  const after = ask(origin)
  await until('it is served', () => after.body === 'part')
  after.call.abort()
  server.close()
})

test('after close, what is in use is finished and then closed', async () => {
  const server = await rawServer(() => {})
  const origin = originOf([server.url])
  const answer = ask(origin)
  await until('it arrived', () => server.connections[0]?.received.includes('\r\n\r\n') === true)
  origin.close()
  server.connections[0]!.socket.write(OK)
  assert.equal((await answer.over).body, 'ok')
  await until('it is closed', () => server.connections[0]!.isClosed)
  server.close()
})
