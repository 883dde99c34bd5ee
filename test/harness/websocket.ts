/** WebSockets in tests: an origin that speaks them, and clients, both by the `ws` package. */
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'

export interface WebSocketOrigin {
  readonly url: string
  readonly server: WebSocketServer
  /** The upgrade requests, in order. */
  readonly requests: readonly IncomingMessage[]
}

/** Sends back what it gets, unless told otherwise. Ends with the test. */
export async function startWebSocketOrigin(
  t: TestContext,
  onSocket: (socket: WebSocket, request: IncomingMessage) => void = echo,
  onRequest: RequestListener = (_, response) => void response.end('plain'),
): Promise<WebSocketOrigin> {
  const http = createServer(onRequest)
  const server = new WebSocketServer({ server: http, handleProtocols: (offered) => [...offered][0] ?? false })
  const requests: IncomingMessage[] = []
  server.on('connection', (socket, request) => {
    requests.push(request)
    socket.on('error', () => {})
    onSocket(socket, request)
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  t.after(async () => {
    for (const socket of server.clients) socket.terminate()
    http.closeAllConnections()
    await new Promise((resolve) => http.close(resolve))
  })
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, server, requests }
}

function echo(socket: WebSocket): void {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
}

/** Open, or rejected with the status of the answer. Terminated with the test. */
export function openWebSocket(
  t: TestContext,
  url: string,
  options: { protocols?: string[]; headers?: Record<string, string> } = {},
): Promise<WebSocket> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), options.protocols ?? [], {
    headers: options.headers ?? {},
  })
  t.after(() => socket.terminate())
  return new Promise((resolve, reject) => {
    socket.on('open', () => resolve(socket))
    socket.on('error', reject)
  })
}

export const nextMessage = (socket: WebSocket): Promise<string> =>
  new Promise((resolve) => socket.once('message', (data) => resolve(String(data))))

export const closing = (socket: WebSocket): Promise<{ code: number; reason: string }> =>
  new Promise((resolve) => socket.once('close', (code, reason) => resolve({ code, reason: String(reason) })))

/** The lines that ask for a WebSocket, for clients that send bytes. */
export const WEBSOCKET_FIELDS =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n'
