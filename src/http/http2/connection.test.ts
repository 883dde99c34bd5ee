/** A connection whose socket takes nothing: what it gives a client time for, and what it says at its end. */
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import {
  ERROR,
  goawayFrame,
  headersFrames,
  PREFACE,
  rstStreamFrame,
  SETTING,
  settingsFrame,
  windowUpdateFrame,
} from '../../wire/http2/frames.ts'
import { encodeFields } from '../../wire/http2/hpack-encoder.ts'
import type { ClientConnection } from '../client-connection.ts'
import type { ConnectionHost } from '../connection-host.ts'
import type { ListenerFacts } from '../listener-facts.ts'
import { Http2Connection } from './connection.ts'
import { Http2Metrics } from './metrics.ts'

const LIMITS = {
  streams: 10,
  headBytes: 32_768,
  headerCount: 100,
  targetBytes: 8192,
  bodyBytes: 1_000_000,
  idle: 60_000,
  head: 10_000,
  body: 30_000,
}
const GET = encodeFields([':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'a.test'])
const get = (stream: number): string => headersFrames(GET, stream, true)

class FullSocket extends EventEmitter {
  text = ''
  writableLength = 0
  destroyed = false

  write(text: string): boolean {
    this.text += text
    this.writableLength += text.length
    return false
  }

  end(): void {}
  pause(): void {}
  resume(): void {}

  destroy(): void {
    this.destroyed = true
  }
}

/** With windows as wide as can be. */
function open(onRequest: (stream: ClientConnection) => void) {
  const socket = new FullSocket()
  const host = { limits: LIMITS, draining: false, nowMs: 0, onRequest, onRefused() {}, onClose() {} }
  const connection = new Http2Connection(
    socket as unknown as Socket,
    host as unknown as ConnectionHost,
    {} as ListenerFacts,
    new Http2Metrics(),
  )
  const receive = (text: string): void => connection.onData(Buffer.from(text, 'latin1'))
  receive(PREFACE + settingsFrame([SETTING.initialWindowSize, 2 ** 30]) + windowUpdateFrame(0, 2 ** 30))
  /** So many milliseconds go by, and what was written on their account has left. */
  const pass = async (ms: number): Promise<void> => {
    host.nowMs += ms
    connection.checkDeadline(host.nowMs)
    await Promise.resolve()
  }
  return { socket, connection, receive, pass }
}

test('who does not read an answer that streams has the time of a body, also where nothing waits here', async () => {
  const { socket, receive, pass } = open((stream) => {
    stream.startStream('HTTP/1.1 200 OK\r\n', 'unknown')
    let isFlowing = true
    while (isFlowing) isFlowing = stream.sendChunk(Buffer.alloc(10_000))
  })
  receive(get(1))
  await pass(LIMITS.body - 1)
  assert.ok(!socket.text.endsWith(rstStreamFrame(1, ERROR.cancel)))
  await pass(1)
  assert.ok(socket.text.endsWith(rstStreamFrame(1, ERROR.cancel)))
})

test('a client that is not read from has its time, whatever came in the same bytes', async () => {
  const { socket, receive, pass } = open((stream) =>
    stream.sendWhole(`HTTP/1.1 200 OK\r\nx-long: ${'x'.repeat(600_000)}\r\n`, ''),
  )
  receive(get(1) + get(3))
  await pass(LIMITS.body)
  assert.equal(socket.destroyed, true)
})

test('GOAWAY at the end of a drain names no later stream than at its beginning', async () => {
  const asked: ClientConnection[] = []
  const { socket, connection, receive, pass } = open((stream) => void asked.push(stream))
  receive(get(1))
  connection.closeIdle()
  receive(get(3))
  assert.ok(socket.text.endsWith(rstStreamFrame(3, ERROR.refusedStream)))
  assert.equal(asked.length, 1)
  asked[0]!.sendWhole('HTTP/1.1 204 No Content\r\n', '')
  await pass(0)
  assert.ok(socket.text.endsWith(goawayFrame(1, ERROR.none)))
})

test('after a drain, answers that were written have the time of a body to leave', async () => {
  const { socket, connection, receive, pass } = open((stream) =>
    stream.sendWhole('HTTP/1.1 200 OK\r\n', 'x'.repeat(1000)),
  )
  receive(get(1))
  connection.closeIdle()
  await pass(LIMITS.body - 1)
  assert.equal(socket.destroyed, false)
  await pass(1)
  assert.equal(socket.destroyed, true)
})
