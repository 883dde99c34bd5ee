import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { MemoryFile } from '../base/memory-file.ts'
import * as v from 'valibot'
import { ListenList } from '../config/listen.ts'
import type { RequestHead } from '../wire/http1/message.ts'
import { StoredBody } from './caching/stored-body.ts'
import type { ServerConnection } from './connection.ts'
import type { BodyConsumer } from './incoming-body.ts'
import { eventually } from '../../test/harness/eventually.ts'
import { CidrSet } from '../base/cidr.ts'
import { acknowledgedBytes } from '../base/tcp-info.ts'
import { openListenSocket } from '../base/listen-socket.ts'
import { HttpMetrics } from './http-metrics.ts'
import { HttpServer } from './server.ts'
import { Http2Metrics } from './http2/metrics.ts'
import { TlsMetrics } from './tls-metrics.ts'

/** Minutes: a test that lets time run meets the one small limit that it brings. */
const LIMITS = {
  headBytes: 2048,
  targetBytes: 512,
  headerCount: 20,
  bodyBytes: 200_000,
  idle: 600_000,
  head: 600_000,
  body: 600_000,
  connections: 100,
  streams: 10,
  handshake: 1000,
  handshakes: 10,
}

/**
 * What the server takes for the time: it stands still, so that a machine that does so ends nothing. Where it runs, each
 * look at it, which is each sweep, finds so much of it gone.
 */
const clock = { nowMs: 0, looks: 0, eachLookMs: 0 }

/** Lets time run while the work is done, against this limit alone. */
async function againstTime<T>(limit: Partial<typeof LIMITS>, work: () => Promise<T>): Promise<T> {
  server.limits = { ...LIMITS, ...limit }
  clock.eachLookMs = 250
  try {
    return await work()
  } finally {
    clock.eachLookMs = 0
    server.limits = LIMITS
  }
}

/** Resolves when the server has looked at its deadlines that much later. */
async function pass(ms: number): Promise<void> {
  clock.nowMs += ms
  const { looks } = clock
  await eventually(() => clock.looks > looks)
}

let server: HttpServer
let port: number
let onRequest: (connection: ServerConnection, head: RequestHead) => void
const attached: { gone: number; drained: number } = { gone: 0, drained: 0 }

const metrics = new HttpMetrics()

before(async () => {
  server = new HttpServer({
    trust: { trusted: new CidrSet([]), from: 'either' },
    limits: LIMITS,
    listeners: v.parse(ListenList, '127.0.0.1:0'),
    metrics,
    tlsMetrics: new TlsMetrics(),
    http2Metrics: new Http2Metrics(),
    monotonic() {
      clock.looks += 1
      return (clock.nowMs += clock.eachLookMs)
    },
    onRequest(connection, head) {
      connection.attach({
        onDrain: () => (attached.drained += 1),
        onGone: () => (attached.gone += 1),
        bytesSent: 0,
        headBytes: 0,
        bytesReceived: 0,
      })
      onRequest(connection as ServerConnection, head)
    },
  })
  const socket = await openListenSocket({ host: '127.0.0.1', port: 0, reusePort: false, backlog: 128 })
  port = socket.port
  await server.listen(socket.fd, 0)
})
after(() => server.drain(0))

/** Sends the pieces, each after the one before was taken by the kernel; resolves to all that came until the end. */
function talk(...pieces: (string | Buffer)[]): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', async () => {
      for (const piece of pieces) {
        await new Promise((sent) => socket.write(piece, sent))
        await new Promise((later) => setImmediate(later))
      }
    })
    socket.setEncoding('latin1')
    socket.on('data', (chunk) => (text += String(chunk)))
    socket.on('error', () => {})
    socket.on('close', () => resolve(text))
  })
}

const ok = (connection: ServerConnection, body: string) =>
  connection.sendWhole(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n`, body)

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

const last = 'GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

describe('requests on one connection', () => {
  test('pipelined requests are answered in order, also when the first one takes longer', async () => {
    onRequest = (connection, head) => {
      if (head.path === '/slow') setTimeout(() => ok(connection, 'slow'), 30)
      else ok(connection, head.path)
    }
    const text = await talk(
      `GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /fast HTTP/1.1\r\nHost: a\r\n\r\n${last}`,
    )
    assert.deepEqual(text.match(/slow|\/fast|\/last/g), ['slow', '/fast', '/last'])
  })

  test('a head that comes byte by byte is read', async () => {
    onRequest = (connection, head) => ok(connection, head.path)
    assert.match(await talk(...last), /\/last$/)
  })

  test('HTTP/1.0 closes by default and stays when asked to', async () => {
    onRequest = (connection, head) => ok(connection, head.path)
    assert.match(await talk('GET /a HTTP/1.0\r\n\r\n'), /connection: close\r\n\r\n\/a$/)
    const kept = await talk('GET /b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n', 'GET /c HTTP/1.0\r\n\r\n')
    assert.match(kept, /connection: keep-alive\r\n\r\n\/bHTTP\/1.1 200 OK\r\n.*\/c$/s)
  })

  test('a malformed request is refused in words and the connection closes', async () => {
    onRequest = (connection, head) => ok(connection, head.path)
    const text = await talk('GET / HTTP/1.1\nHost: a\r\n\r\n')
    assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\n.*connection: close\r\n.*bare LF\n$/s)
  })

  test('nothing after a refused message is read', async () => {
    let seen = 0
    onRequest = (connection, head) => {
      seen += 1
      ok(connection, head.path)
    }
    const text = await talk(`GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n${last}`)
    assert.equal(seen, 0)
    assert.equal(text.match(/HTTP\/1\.1/g)?.length, 1)
  })

  test('a client that stops sending still gets its answer', async () => {
    onRequest = (connection, head) => setTimeout(() => ok(connection, head.path), 20)
    const text = await new Promise((resolve) => {
      let all = ''
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () =>
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
    onRequest = echo
    const text = await talk('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab', `cde${last}`)
    assert.match(text, /abcde\|HTTP\/1\.1 200 OK.*no body$/s)
  })

  test('a chunked body arrives with its trailers', async () => {
    onRequest = echo
    const text = await talk(
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n2\r',
      '\nde\r\n0\r\nx-sum: 1\r\n\r\n',
    )
    assert.match(text, /abcde\|x-sum=1$/)
  })

  test('a bad chunk is a 400, a body over the limit a 413', async () => {
    onRequest = echo
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
    assert.match(await talk(`${head}zz\r\nabc\r\n`), /^HTTP\/1\.1 400 /)
    assert.match(await talk(`${head}30d41\r\n`, Buffer.alloc(200_001)), /^HTTP\/1\.1 413 /)
    assert.match(
      await talk('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200001\r\n\r\n'),
      /^HTTP\/1\.1 413 /,
    )
  })

  test('100 Continue is sent once the body is wanted', async () => {
    onRequest = echo
    const text = await talk(
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n',
      'abc',
    )
    assert.match(text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK.*abc\|$/s)
  })

  test('an answer without asking for the body closes, so that the body is not read as a request', async () => {
    onRequest = (connection) => ok(connection, 'no')
    const text = await talk('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n')
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n.*connection: close\r\n/s)
  })

  test('a short body that nobody read is thrown away and the connection kept', async () => {
    onRequest = (connection, head) => ok(connection, head.path)
    const text = await talk('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n', `GET${last}`)
    assert.match(text, /\/aHTTP\/1\.1 200.*\/last$/s)
  })
})

describe('time', () => {
  test('a head that does not end in time is a 408', async () => {
    onRequest = (connection, head) => ok(connection, head.path)
    const text = await againstTime({ head: 300 }, () => talk('GET / HTTP/1.1\r\nHo'))
    assert.match(text, /^HTTP\/1\.1 408 /)
  })

  test('a body that does not end in time is a 408', async () => {
    onRequest = echo
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n'
    assert.match(await againstTime({ body: 300 }, () => talk(`${head}ab`)), /^HTTP\/1\.1 408 /)
  })

  test('a silent connection is closed without a word', async () => {
    assert.equal(await againstTime({ idle: 300 }, () => talk()), '')
  })

  test('a client that never reads is cut', async () => {
    const big = Buffer.alloc(8 * 1024 * 1024)
    const before = attached.gone
    onRequest = (connection) => {
      connection.startStream(`HTTP/1.1 200 OK\r\ncontent-length: ${big.length * 2}\r\n`, 'length')
      connection.sendChunk(big)
    }
    const socket = connect(port, '127.0.0.1', () => socket.write(last))
    socket.on('error', () => {})
    await againstTime({ body: 300 }, () => eventually(() => attached.gone > before))
    socket.destroy()
    assert.equal(attached.gone, before + 1)
  })
})

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
    const before = metrics.bytesOut
    onRequest = (connection, head) => {
      if (head.path === '/large') sendStored(connection, stored, () => (sent += 1))
      else ok(connection, `after ${sent}`)
    }
    const text = await talk(`${'GET /large HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2)}${last}`)
    const whole = `HTTP/1.1 200 OK\r\ncontent-length: ${bytes.length}\r\n\r\n${bytes.toString('latin1')}`
    assert.ok(text.startsWith(whole + whole), `${text.length} bytes`)
    assert.match(text.slice(2 * whole.length), /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\nafter 2$/s)
    await eventually(() => metrics.bytesOut - before === text.length)
    stored.release()
  })

  test('a client that closed its side gets all of it', async () => {
    const stored = body()
    onRequest = (connection) => sendStored(connection, stored)
    const length = await new Promise((resolve) => {
      let all = 0
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () =>
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
    onRequest = (connection) => sendStored(connection, stored, () => (sent += 1))
    const before = attached.gone
    const socket = connect(port, '127.0.0.1', () => socket.write(last))
    socket.on('error', () => {})
    await againstTime({ body: 300 }, () => eventually(() => attached.gone > before))
    socket.destroy()
    assert.equal(sent, 0)
    stored.release()
  })

  test('a client that reads slowly is not cut while it goes on', async () => {
    const file = MemoryFile.create()!
    for (let i = 0; i < 4; i += 1) file.append(bytes)
    const stored = new StoredBody(file)
    const asked = Promise.withResolvers<ServerConnection>()
    onRequest = (connection) => {
      sendStored(connection, stored)
      asked.resolve(connection)
    }
    let all = 0
    let isSlow = true
    const socket = connect(port, '127.0.0.1', () => socket.write(last))
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
      await pass(0.6 * LIMITS.body)
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
    onRequest = (connection) => {
      connection.sendWhole('HTTP/1.1 200 OK\r\ncontent-length: 16000000\r\n', Buffer.alloc(16_000_000))
      asked.resolve(connection)
    }
    const client = connect(port, '127.0.0.1', () => client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
    client.on('error', () => {})
    client.on('data', () => client.pause())
    const { socket } = await asked.promise
    for (let pauses = 0; pauses < 3; pauses += 1) {
      const before = acknowledgedBytes(socket)
      await eventually(() => client.resume() && acknowledgedBytes(socket) !== before, { everyMs: 1 })
      await pass(1.1 * LIMITS.body)
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
    await pass(1.1 * LIMITS.body)
    await pass(1.1 * LIMITS.body)
    assert.ok(socket.destroyed)
    client.destroy()
  })
})

describe('streams', () => {
  test('a body of unknown length goes out chunked, with trailers', async () => {
    onRequest = (connection) => {
      connection.startStream('HTTP/1.1 200 OK\r\n', 'unknown')
      connection.sendChunk(Buffer.from('hello'))
      connection.endStream(['x-sum', '1'])
    }
    assert.match(
      await talk(last),
      /transfer-encoding: chunked\r\n.*\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n$/s,
    )
  })

  test('an HTTP/1.0 client gets a body of unknown length until the end of the connection', async () => {
    onRequest = (connection) => {
      connection.startStream('HTTP/1.1 200 OK\r\n', 'unknown')
      connection.sendChunk(Buffer.from('hello'))
      connection.endStream([])
    }
    const text = await talk('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    assert.match(text, /connection: close\r\n\r\nhello$/)
    assert.doesNotMatch(text, /chunked/)
  })

  test('an answer that is cut never looks complete', async () => {
    onRequest = (connection) => {
      connection.startStream('HTTP/1.1 200 OK\r\n', 'unknown')
      connection.sendChunk(Buffer.from('hello'))
      setTimeout(() => connection.cut(), 20)
    }
    assert.doesNotMatch(await talk(last), /\r\n0\r\n/)
  })
})
