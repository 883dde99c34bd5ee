/** Servers that stand behind the edge in a test: one that speaks HTTP, one that sends whatever bytes it likes. */
import { createServer as createHttp, type RequestListener, type Server as HttpServer } from 'node:http'
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

export interface TestOrigin {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string
  readonly port: number
  /** Method and target of each request, in order. Empty for a raw origin. */
  readonly requests: readonly string[]
  /** Connections that were made, in all. */
  readonly connections: () => number
  close(): Promise<void>
}

/** Closes with the test. `handler` answers; without one, everything is 200 and says its target. */
export async function startOrigin(t: TestContext, handler?: RequestListener): Promise<TestOrigin> {
  const requests: string[] = []
  const answer: RequestListener =
    handler ?? ((request, response) => void response.end(`origin ${request.url}`))
  const server = createHttp((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    answer(request, response)
  })
  // What an edge keeps, and for how long, is its own to say.
  server.keepAliveTimeout = 0
  return serve(t, server, requests, () => server.closeAllConnections())
}

/** `onSocket` is called for each connection; it answers for the bytes. */
export async function startRawOrigin(
  t: TestContext,
  onSocket: (socket: Socket) => void,
): Promise<TestOrigin> {
  const sockets = new Set<Socket>()
  const server = createTcp((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    // A reset by the edge is part of many tests.
    socket.on('error', () => {})
    onSocket(socket)
  })
  return serve(t, server, [], () => {
    for (const socket of sockets) socket.destroy()
  })
}

/** Answers each request head on a connection with these bytes, and then leaves it as it is. */
export const answerWith =
  (bytes: string, after: (socket: Socket) => void = () => {}) =>
  (socket: Socket): void => {
    let received = ''
    socket.on('data', (piece) => {
      received += piece.toString('latin1')
      for (let end = received.indexOf('\r\n\r\n'); end >= 0; end = received.indexOf('\r\n\r\n')) {
        received = received.slice(end + 4)
        socket.write(Buffer.from(bytes, 'latin1'), () => after(socket))
      }
    })
  }

async function serve(
  t: TestContext,
  server: Server | HttpServer,
  requests: readonly string[],
  cut: () => void,
): Promise<TestOrigin> {
  let connections = 0
  server.on('connection', () => (connections += 1))
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = async () => {
    const closed = new Promise<void>((resolve) => void server.close(() => resolve()))
    cut()
    await closed
  }
  t.after(close)
  return { url: `http://127.0.0.1:${port}`, port, requests, connections: () => connections, close }
}
