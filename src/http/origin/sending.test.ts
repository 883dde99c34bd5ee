import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { ask, originOf } from './testing/ask.ts'
import { listen, rawServer, until } from './testing/raw-server.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** What a server receives when this is asked. Answers once `isWhole`. */
async function received(
  request: Parameters<typeof ask>[1],
  isWhole: (text: string) => boolean,
): Promise<string> {
  const server = await rawServer(({ socket, received }) => {
    if (isWhole(received)) socket.write(OK)
  })
  const origin = originOf([server.url])
  const answer = await ask(origin, request).over
  assert.equal(answer.error, undefined)
  const text = server.connections[0]!.received.replaceAll(String(server.port), 'PORT')
  origin.close()
  server.close()
  return text
}

const headOnly = (text: string) => text.endsWith('\r\n\r\n')

test('the head says what was asked, with framing of our own', async () => {
  const headers = [
    'host',
    'example.org',
    'x',
    'é',
    'content-length',
    '99',
    'transfer-encoding',
    'gzip',
    'connection',
    'close',
  ]
  assert.equal(
    await received({ target: '/a?b', headers }, headOnly),
    'GET /a?b HTTP/1.1\r\nhost: example.org\r\nx: é\r\n\r\n',
  )
  assert.equal(
    await received({ method: 'POST', headers: [] }, headOnly),
    'POST / HTTP/1.1\r\nhost: 127.0.0.1:PORT\r\ncontent-length: 0\r\n\r\n',
  )
  assert.equal(
    await received({ method: 'PUT', headers: ['host', 'a'], body: 0 }, headOnly),
    'PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n',
  )
})

test('a body goes out with its length, or in chunks', async () => {
  assert.equal(
    await received({ method: 'POST', body: 5, pieces: ['he', '', 'llo'] }, (text) => text.endsWith('hello')),
    'POST / HTTP/1.1\r\nhost: example.org\r\ncontent-length: 5\r\n\r\nhello',
  )
  assert.equal(
    await received({ method: 'POST', body: 'chunked', pieces: ['he', '', 'llo\xff'] }, (text) =>
      text.endsWith('0\r\n\r\n'),
    ),
    'POST / HTTP/1.1\r\nhost: example.org\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n4\r\nllo\xff\r\n0\r\n\r\n',
  )
})

test('a large body arrives whole at a real server, and its echo comes back, while both flow', async () => {
  const server = createServer((request, response) => request.pipe(response))
  const origin = originOf([`http://127.0.0.1:${await listen(server)}`])
  const total = 200
  for (const body of ['chunked', total * 50_000] as const) {
    let written = 0
    let echoed = 0
    const push = (call: { write(chunk: Buffer): boolean; end(): void }): void => {
      while (written < total) {
        const piece = Buffer.alloc(50_000, written % 256)
        written++
        const flowing = call.write(piece)
        // It was copied: what happens to it now does not matter.
        piece.fill(255)
        if (!flowing) return
      }
      if (written++ === total) call.end()
    }
    const answer = ask(origin, {
      method: 'POST',
      body,
      onDrain: push,
      onData: (chunk) => {
        for (let i = 0; i < chunk.length; i += 1000) {
          assert.equal(chunk[i], Math.floor((echoed + i) / 50_000) % 256)
        }
        echoed += chunk.length
        return true
      },
    })
    push(answer.call)
    await answer.over
    assert.equal(answer.error, undefined)
    assert.equal(echoed, total * 50_000)
  }
  origin.close()
  server.close()
})

test('an origin that does not read makes the sender wait', async () => {
  const server = await rawServer((connection) => connection.socket.pause())
  const origin = originOf([server.url])
  let written = 0
  const piece = Buffer.alloc(64 * 1024)
  const answer = ask(origin, {
    method: 'POST',
    body: 'chunked',
    onDrain: (call) => {
      while (call.write(piece)) written += piece.length
    },
  })
  answer.call.write(piece)
  let before = -1
  while (before !== written) {
    before = written
    await new Promise((done) => setTimeout(done, 100))
  }
  assert.ok(written < 64 * 1024 * 1024)
  answer.call.abort()
  server.close()
})

test('an origin that refuses before it has the body is heard, and sent no more', async () => {
  const server = await rawServer(({ socket, received }) => {
    if (received.length < 200) socket.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig')
  })
  const origin = originOf([server.url])
  const answer = ask(origin, { method: 'POST', body: 1_000_000 })
  answer.call.write(Buffer.alloc(10))
  await answer.over
  assert.deepEqual([answer.head?.status, answer.body, answer.error], [413, 'big', undefined])
  // The rest is thrown away: nobody waits for a drain that never comes.
  assert.equal(answer.call.write(Buffer.alloc(100_000)), true)
  answer.call.end()
  await until('the connection is closed', () => server.connections[0]!.isClosed)
  assert.ok(server.connections[0]!.received.length < 1000)
  assert.equal((await ask(origin).over).body, 'big')
  assert.equal(server.connections.length, 2)
  origin.close()
  server.close()
})

test('a refusal that comes slowly stops the body too', async () => {
  let finish = (): void => {}
  const server = await rawServer(({ socket, received }) => {
    if (received.length > 200) return
    socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n')
    finish = () => void socket.write('no')
  })
  const origin = originOf([server.url])
  const answer = ask(origin, { method: 'POST', body: 1_000_000 })
  answer.call.write(Buffer.alloc(10))
  await until('the head came', () => answer.head !== undefined)
  for (let i = 0; i < 10; i++) assert.equal(answer.call.write(Buffer.alloc(1000)), true)
  finish()
  await answer.over
  assert.equal(answer.body, 'no')
  await until('the connection is closed', () => server.connections[0]!.isClosed)
  assert.ok(server.connections[0]!.received.length < 1000)
  server.close()
})

test('a body that is not what was announced is a bug, and never reaches the origin as something else', async () => {
  const server = await rawServer(() => {})
  const origin = originOf([server.url])
  const answer = ask(origin, { method: 'POST', body: 5 })
  assert.throws(() => answer.call.write(Buffer.alloc(6)), /longer than it said/)
  const other = ask(origin, { method: 'POST', body: 5 })
  other.call.write(Buffer.alloc(4))
  assert.throws(() => other.call.end(), /shorter than it said/)
  answer.call.abort()
  other.call.abort()
  server.close()
})
