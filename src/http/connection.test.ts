import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { eventually } from '../../test/harness/eventually.ts'
import { LAST, ok, TestServer } from './connection.support.ts'
import type { ServerConnection } from './connection.ts'
import type { BodyConsumer } from './incoming-body.ts'

const server = new TestServer()
before(() => server.start())
after(() => server.stop())

/** Answers with what the body was, or with the problem. */
const echo = (connection: ServerConnection): void => {
  let text = ''
  const consumer: BodyConsumer = {
    onBody(chunk) {
      text += chunk.toString('latin1')
      return true
    },
    onBodyEnd: (trailers) => ok(connection, `${text}|${trailers.join('=')}`),
    onBodyProblem: (status, reason) =>
      connection.sendWhole(`HTTP/1.1 ${status} X\r\ncontent-length: ${reason.length}\r\n`, reason),
  }
  if (connection.hasBody) connection.readBody(consumer)
  else ok(connection, 'no body')
}
describe('requests on one connection', () => {
  test('pipelined requests are answered in order, also when the first one takes longer', async () => {
    server.onRequest = (connection, head) => {
      if (head.path === '/slow') setTimeout(() => ok(connection, 'slow'), 30)
      else ok(connection, head.path)
    }
    const text = await server.talk(
      `GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /fast HTTP/1.1\r\nHost: a\r\n\r\n${LAST}`,
    )
    assert.deepEqual(text.match(/slow|\/fast|\/last/g), ['slow', '/fast', '/last'])
  })

  test('a head that comes byte by byte is read', async () => {
    server.onRequest = (connection, head) => ok(connection, head.path)
    assert.match(await server.talk(...LAST), /\/last$/)
  })

  test('HTTP/1.0 closes by default and stays when asked to', async () => {
    server.onRequest = (connection, head) => ok(connection, head.path)
    assert.match(await server.talk('GET /a HTTP/1.0\r\n\r\n'), /connection: close\r\n\r\n\/a$/)
    const kept = await server.talk(
      'GET /b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
      'GET /c HTTP/1.0\r\n\r\n',
    )
    assert.match(kept, /connection: keep-alive\r\n\r\n\/bHTTP\/1.1 200 OK\r\n.*\/c$/s)
  })

  test('a malformed request is refused in words and the connection closes', async () => {
    server.onRequest = (connection, head) => ok(connection, head.path)
    const text = await server.talk('GET / HTTP/1.1\nHost: a\r\n\r\n')
    assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\n.*connection: close\r\n.*bare LF\n$/s)
  })

  test('nothing after a refused message is read', async () => {
    let seen = 0
    server.onRequest = (connection, head) => {
      seen += 1
      ok(connection, head.path)
    }
    const text = await server.talk(`GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n${LAST}`)
    assert.equal(seen, 0)
    assert.equal(text.match(/HTTP\/1\.1/g)?.length, 1)
  })

  test('a client that stops sending still gets its answer', async () => {
    server.onRequest = (connection, head) => setTimeout(() => ok(connection, head.path), 20)
    const text = await new Promise((resolve) => {
      let all = ''
      const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true }, () =>
        socket.end('GET /half HTTP/1.1\r\nHost: a\r\n\r\n'),
      )
      socket.on('data', (chunk) => (all += chunk.toString('latin1')))
      socket.on('end', () => resolve(all))
    })
    assert.match(String(text), /\/half$/)
  })
})

describe('the body of a request', () => {
  test('a body of known length arrives, in pieces and with a request behind it', async () => {
    server.onRequest = echo
    const text = await server.talk('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab', `cde${LAST}`)
    assert.match(text, /abcde\|HTTP\/1\.1 200 OK.*no body$/s)
  })

  test('a chunked body arrives with its trailers', async () => {
    server.onRequest = echo
    const text = await server.talk(
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n2\r',
      '\nde\r\n0\r\nx-sum: 1\r\n\r\n',
    )
    assert.match(text, /abcde\|x-sum=1$/)
  })

  test('a bad chunk is a 400, a body over the limit a 413', async () => {
    server.onRequest = echo
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
    assert.match(await server.talk(`${head}zz\r\nabc\r\n`), /^HTTP\/1\.1 400 /)
    assert.match(await server.talk(`${head}30d41\r\n`, Buffer.alloc(200_001)), /^HTTP\/1\.1 413 /)
    assert.match(
      await server.talk('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200001\r\n\r\n'),
      /^HTTP\/1\.1 413 /,
    )
  })

  test('100 Continue is sent once the body is wanted', async () => {
    server.onRequest = echo
    const text = await server.talk(
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n',
      'abc',
    )
    assert.match(text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK.*abc\|$/s)
  })

  test('an answer without asking for the body closes, so that the body is not read as a request', async () => {
    server.onRequest = (connection) => ok(connection, 'no')
    const text = await server.talk(
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n',
    )
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n.*connection: close\r\n/s)
  })

  test('a short body that nobody read is thrown away and the connection kept', async () => {
    server.onRequest = (connection, head) => ok(connection, head.path)
    const text = await server.talk('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n', `GET${LAST}`)
    assert.match(text, /\/aHTTP\/1\.1 200.*\/last$/s)
  })
})

describe('time', () => {
  test('a head that does not end in time is a 408', async () => {
    server.onRequest = (connection, head) => ok(connection, head.path)
    const text = await server.againstTime({ head: 300 }, () => server.talk('GET / HTTP/1.1\r\nHo'))
    assert.match(text, /^HTTP\/1\.1 408 /)
  })

  test('a body that does not end in time is a 408', async () => {
    server.onRequest = echo
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n'
    assert.match(await server.againstTime({ body: 300 }, () => server.talk(`${head}ab`)), /^HTTP\/1\.1 408 /)
  })

  test('a silent connection is closed without a word', async () => {
    assert.equal(await server.againstTime({ idle: 300 }, () => server.talk()), '')
  })

  test('a client that never reads is cut', async () => {
    const big = Buffer.alloc(8 * 1024 * 1024)
    const before = server.told.gone
    server.onRequest = (connection) => {
      connection.startStream(`HTTP/1.1 200 OK\r\ncontent-length: ${big.length * 2}\r\n`, 'length')
      connection.sendChunk(big)
    }
    const socket = connect(server.port, '127.0.0.1', () => socket.write(LAST))
    socket.on('error', () => {})
    await server.againstTime({ body: 300 }, () => eventually(() => server.told.gone > before))
    socket.destroy()
    assert.equal(server.told.gone, before + 1)
  })
})
