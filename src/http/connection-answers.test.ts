/** Answers that outlast the moment in which they are given: large ones, and streams. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { eventually } from '../../test/harness/eventually.ts'
import { MemoryFile } from '../base/memory-file.ts'
import { acknowledgedBytes } from '../base/tcp-info.ts'
import { StoredBody } from './caching/stored-body.ts'
import { LAST, LIMITS, ok, TestServer } from './connection.support.ts'
import type { ServerConnection } from './connection.ts'

const server = new TestServer()
before(() => server.start())
after(() => server.stop())

describe('stored bodies', () => {
  const bytes = Buffer.alloc(6 * 1024 * 1024, randomBytes(10_007))
  const body = (): StoredBody => {
    const file = MemoryFile.create()!
    file.append(bytes)
    return new StoredBody(file)
  }
  const sendStored = (connection: ServerConnection, stored: StoredBody, onSent = () => {}) =>
    connection.sendStored(`HTTP/1.1 200 OK\r\ncontent-length: ${stored.length}\r\n`, stored, onSent)

  test('requests behind a large one are answered after it, in order', async () => {
    const stored = body()
    let sent = 0
    const before = server.metrics.bytesOut
    server.onRequest = (connection, head) => {
      if (head.path === '/large') sendStored(connection, stored, () => (sent += 1))
      else ok(connection, `after ${sent}`)
    }
    const text = await server.talk(`${'GET /large HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2)}${LAST}`)
    const whole = `HTTP/1.1 200 OK\r\ncontent-length: ${bytes.length}\r\n\r\n${bytes.toString('latin1')}`
    assert.ok(text.startsWith(whole + whole), `${text.length} bytes`)
    assert.match(text.slice(2 * whole.length), /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\nafter 2$/s)
    await eventually(() => server.metrics.bytesOut - before === text.length)
    stored.release()
  })

  test('a client that closed its side gets all of it', async () => {
    const stored = body()
    server.onRequest = (connection) => sendStored(connection, stored)
    const length = await new Promise((resolve) => {
      let all = 0
      const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true }, () =>
        socket.end('GET / HTTP/1.1\r\nHost: a\r\n\r\n'),
      )
      socket.on('data', (chunk) => (all += chunk.length))
      socket.on('end', () => resolve(all))
    })
    assert.ok(Number(length) > bytes.length)
    stored.release()
  })

  test('a client that never reads is cut, and the request counts as gone', async () => {
    const stored = body()
    let sent = 0
    server.onRequest = (connection) => sendStored(connection, stored, () => (sent += 1))
    const before = server.told.gone
    const socket = connect(server.port, '127.0.0.1', () => socket.write(LAST))
    socket.on('error', () => {})
    await server.againstTime({ body: 300 }, () => eventually(() => server.told.gone > before))
    socket.destroy()
    assert.equal(sent, 0)
    stored.release()
  })

  test('a client that reads slowly is not cut while it goes on', async () => {
    const file = MemoryFile.create()!
    for (let i = 0; i < 4; i += 1) file.append(bytes)
    const stored = new StoredBody(file)
    const asked = Promise.withResolvers<ServerConnection>()
    server.onRequest = (connection) => {
      sendStored(connection, stored)
      asked.resolve(connection)
    }
    let all = 0
    let isSlow = true
    const socket = connect(server.port, '127.0.0.1', () => socket.write(LAST))
    const closed = new Promise((resolve) => socket.on('close', resolve))
    socket.on('data', (chunk) => {
      all += chunk.length
      if (isSlow) socket.pause()
    })
    const connection = await asked.promise
    // In all more than twice the limit, in pauses that are shorter.
    for (let pauses = 0; pauses < 4; pauses += 1) {
      const { bytesOut } = connection
      // It reads a little at a time until the server could send on and had to stop again.
      const what = `having sent ${bytesOut} of which ${all} were read, the server did not go on`
      await eventually(
        () => {
          socket.resume()
          return connection.bytesOut > bytesOut && connection.socket.writableLength > 0
        },
        { everyMs: 1, what },
      )
      await server.pass(0.6 * LIMITS.body)
      assert.ok(!connection.socket.destroyed, `it was cut in pause ${pauses}`)
    }
    isSlow = false
    socket.resume()
    await closed
    assert.ok(all > stored.length, `${all}`)
    stored.release()
  })
})

describe('a large answer in one piece', () => {
  test('goes on for a client that reads slowly, and is cut where it stops', async () => {
    const asked = Promise.withResolvers<ServerConnection>()
    server.onRequest = (connection) => {
      connection.sendWhole('HTTP/1.1 200 OK\r\ncontent-length: 16000000\r\n', Buffer.alloc(16_000_000))
      asked.resolve(connection)
    }
    const client = connect(server.port, '127.0.0.1', () => client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
    client.on('error', () => {})
    client.on('data', () => client.pause())
    const { socket } = await asked.promise
    for (let pauses = 0; pauses < 3; pauses += 1) {
      const before = acknowledgedBytes(socket)
      await eventually(() => client.resume() && acknowledgedBytes(socket) !== before, { everyMs: 1 })
      await server.pass(1.1 * LIMITS.body)
      assert.ok(!socket.destroyed && socket.writableNeedDrain, `it was cut in pause ${pauses}`)
    }
    let taken = acknowledgedBytes(socket)
    await eventually(
      () => {
        const before = taken
        taken = acknowledgedBytes(socket)
        return taken === before
      },
      { everyMs: 50 },
    )
    await server.pass(1.1 * LIMITS.body)
    await server.pass(1.1 * LIMITS.body)
    assert.ok(socket.destroyed)
    client.destroy()
  })
})

describe('streams', () => {
  test('a body of unknown length goes out chunked, with trailers', async () => {
    server.onRequest = (connection) => {
      connection.startStream('HTTP/1.1 200 OK\r\n', 'unknown')
      connection.sendChunk(Buffer.from('hello'))
      connection.endStream(['x-sum', '1'])
    }
    assert.match(
      await server.talk(LAST),
      /transfer-encoding: chunked\r\n.*\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n$/s,
    )
  })

  test('an HTTP/1.0 client gets a body of unknown length until the end of the connection', async () => {
    server.onRequest = (connection) => {
      connection.startStream('HTTP/1.1 200 OK\r\n', 'unknown')
      connection.sendChunk(Buffer.from('hello'))
      connection.endStream([])
    }
    const text = await server.talk('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    assert.match(text, /connection: close\r\n\r\nhello$/)
    assert.doesNotMatch(text, /chunked/)
  })

  test('an answer that is cut never looks complete', async () => {
    server.onRequest = (connection) => {
      connection.startStream('HTTP/1.1 200 OK\r\n', 'unknown')
      connection.sendChunk(Buffer.from('hello'))
      setTimeout(() => connection.cut(), 20)
    }
    assert.doesNotMatch(await server.talk(LAST), /\r\n0\r\n/)
  })
})
