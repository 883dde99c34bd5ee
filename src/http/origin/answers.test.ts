import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ask, originOf } from './testing/ask.ts'
import { rawServer, until } from './testing/raw-server.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** An origin that answers each request with this, then keeps the connection or ends it. */
async function answering(text: string, { thenEnd = false } = {}) {
  const server = await rawServer(({ socket }) => {
    if (thenEnd) socket.end(text, 'latin1')
    else socket.write(text, 'latin1')
  })
  const origin = originOf([server.url])
  const close = () => {
    origin.close()
    server.close()
  }
  return { server, origin, close }
}

test('an answer is read to its end, however the end is told', async () => {
  const table: readonly (readonly [text: string, method: string, body: string, kept: boolean])[] = [
    [OK, 'GET', 'ok', true],
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 'GET', '', true],
    [
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n3\r\nend\r\n0\r\n\r\n',
      'GET',
      'okend',
      true,
    ],
    ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n', 'HEAD', '', true],
    ['HTTP/1.1 204 No Content\r\n\r\n', 'GET', '', true],
    ['HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n', 'GET', '', true],
    ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok', 'GET', 'ok', false],
    ['HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok', 'GET', 'ok', false],
    ['HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok', 'GET', 'ok', true],
    ['HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n', 'GET', '', false],
  ]
  for (const [text, method, body, kept] of table) {
    const { server, origin, close } = await answering(text)
    for (let i = 0; i < 2; i++) {
      const answer = await ask(origin, { method }).over
      assert.equal(answer.error, undefined, text)
      assert.equal(answer.body, body, text)
      assert.equal(answer.told.at(-1), 'end', text)
    }
    assert.equal(server.connections.length, kept ? 1 : 2, text)
    close()
  }
})

test('without a length the answer ends with the connection', async () => {
  const { origin, close } = await answering('HTTP/1.1 200 OK\r\n\r\nall of it', { thenEnd: true })
  const answer = await ask(origin).over
  assert.deepEqual([answer.body, answer.told], ['all of it', ['head', 'data', 'end']])
  close()
})

test('a reset does not end an answer without a length', async () => {
  const server = await rawServer(({ socket }) =>
    socket.write('HTTP/1.1 200 OK\r\n\r\npart', () => socket.resetAndDestroy()),
  )
  const origin = originOf([server.url])
  const answer = await ask(origin).over
  assert.equal(answer.error?.code, 'origin-closed')
  assert.match(answer.error.message, /ECONNRESET/)
  assert.equal(answer.told.includes('end'), false)
  server.close()
})

test('trailers and interim answers are passed on', async () => {
  const { origin, close } = await answering(
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' +
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\nSet-Cookie: no\r\n\r\n',
  )
  const answer = await ask(origin).over
  assert.deepEqual(answer.told, ['100', '103', 'head', 'data', 'end'])
  assert.deepEqual(answer.trailers, ['x-sum', '1'])
  close()
})

test('what is cut short is an error, and never an end', async () => {
  const table: readonly (readonly [text: string, told: string[], message: RegExp])[] = [
    [
      'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart',
      ['head', 'data', 'error'],
      /6 bytes before the end/,
    ],
    [
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\npart',
      ['head', 'data', 'error'],
      /middle of its answer/,
    ],
    [
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n',
      ['head', 'data', 'error'],
      /middle of its answer/,
    ],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n', ['head', 'error'], /middle of its answer/],
    ['HTTP/1.1 200 OK\r\nContent-', ['error'], /middle of the head/],
    ['HTTP/1.1 100 Continue\r\n\r\n', ['100', 'error'], /closed/],
    ['', ['error'], /before it answered/],
  ]
  for (const [text, told, message] of table) {
    const { server, origin, close } = await answering(text, { thenEnd: true })
    const answer = await ask(origin).over
    assert.deepEqual(answer.told, told, text)
    assert.equal(answer.error?.code, 'origin-closed', text)
    assert.match(answer.error.message, message)
    assert.ok(answer.error.message.includes(server.url), answer.error.message)
    close()
  }
})

test('what is not HTTP/1.1 is refused with the reason, and its connection is not used again', async () => {
  const table: readonly (readonly [text: string, told: string[], message: RegExp])[] = [
    ['SSH-2.0-OpenSSH_9.2\r\n', ['error'], /status line/],
    ['\x15\x03\x03\x00\x02\x02\x28', ['error'], /status line/],
    ['HTTP/1.1 200 OK\nContent-Length: 2\n\nok', ['error'], /bare LF/],
    [
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok',
      ['error'],
      /several Content-Length/,
    ],
    [
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      ['error'],
      /both/,
    ],
    [`HTTP/1.1 200 OK\r\nX: ${'a'.repeat(200_000)}\r\n\r\n`, ['error'], /head too large/],
    ['HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n', ['error'], /101/],
    [
      'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(33),
      [...Array<string>(32).fill('103'), 'error'],
      /too many interim/,
    ],
    [
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nxx\r\n',
      ['head', 'data', 'error'],
      /chunk/,
    ],
  ]
  for (const [text, told, message] of table) {
    const { server, origin, close } = await answering(text)
    const answer = await ask(origin).over
    assert.deepEqual(answer.told, told, text.slice(0, 50))
    assert.equal(answer.error?.code, 'origin-garbage', text.slice(0, 50))
    assert.match(answer.error.message, message)
    await until('the connection is closed', () => server.connections[0]!.isClosed)
    close()
  }
})

test('bytes after an answer never become the next one', async () => {
  const { server, origin, close } = await answering(`${OK}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen`)
  for (let i = 0; i < 3; i++) assert.equal((await ask(origin).over).body, 'ok')
  assert.equal(server.connections.length, 3)
  close()
})

test('a kept connection on which the origin speaks unasked is closed', async () => {
  const { server, origin, close } = await answering(OK)
  await ask(origin).over
  server.connections[0]!.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen')
  await until('the connection is closed', () => server.connections[0]!.isClosed)
  assert.equal((await ask(origin).over).body, 'ok')
  assert.equal(server.connections.length, 2)
  close()
})

test('an answer that arrives a byte at a time is the same answer', async () => {
  const text =
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n'
  const server = await rawServer(({ socket }) => {
    let at = 0
    const next = (): void => {
      if (at < text.length) socket.write(text[at++]!, next)
    }
    next()
  })
  const origin = originOf([server.url])
  const answer = await ask(origin).over
  assert.deepEqual(
    [answer.body, answer.trailers, answer.told],
    ['hello', ['x', 'y'], ['100', 'head', 'data', 'end']],
  )
  origin.close()
  server.close()
})

test('a handler that does not take more stops the origin, until it resumes', async () => {
  const total = 32 * 1024 * 1024
  const piece = Buffer.alloc(256 * 1024, 'x')
  let sent = 0
  const server = await rawServer(({ socket }) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`)
    const push = (): void => {
      while (sent < total) {
        sent += piece.length
        if (!socket.write(piece)) return
      }
    }
    socket.on('drain', push)
    push()
  })
  const origin = originOf([server.url])
  let received = 0
  let isOpen = false
  const answer = ask(origin, {
    onData: (chunk) => {
      received += chunk.length
      return isOpen
    },
  })
  await until('it begins', () => received > 0)
  // The kernel's buffers fill up, and then nothing moves any more.
  let before = -1
  while (before !== sent) {
    before = sent
    await new Promise((done) => setTimeout(done, 100))
  }
  assert.ok(received <= 64 * 1024, `${received} bytes were read though none were wanted`)
  assert.ok(sent < total, 'the origin could send everything')
  isOpen = true
  answer.call.resume()
  await answer.over
  assert.equal(received, total)
  origin.close()
  server.close()
})
