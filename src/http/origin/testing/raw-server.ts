/** An origin for tests that says exactly what it is told to, right or wrong, on a real socket. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** One connection, as the test sees it. */
export interface RawConnection {
  readonly socket: Socket
  /** From 0, in the order they came. */
  readonly index: number
  /** All that was received on it. */
  received: string
  isClosed: boolean
}

export interface RawServer {
  readonly url: string
  readonly port: number
  readonly connections: readonly RawConnection[]
  close(): void
}

/** `onData` is called with each piece that arrives. */
export async function rawServer(
  onData: (connection: RawConnection, text: string) => void,
  at: { readonly host?: string; readonly port?: number } = {},
): Promise<RawServer> {
  const connections: RawConnection[] = []
  const server = createServer((socket) => {
    const connection: RawConnection = { socket, index: connections.length, received: '', isClosed: false }
    connections.push(connection)
    socket.on('data', (bytes) => {
      const text = bytes.toString('latin1')
      connection.received += text
      onData(connection, text)
    })
    socket.on('error', () => {})
    socket.on('close', () => (connection.isClosed = true))
  })
  const { host = '127.0.0.1' } = at
  const port = await listen(server, host, at.port)
  const close = () => {
    server.close()
    for (const { socket } of connections) socket.destroy()
  }
  return { url: `http://${host}:${port}`, port, connections, close }
}

/** Starts a server, on a free port of 127.0.0.1 where nothing else is said. */
export async function listen(server: Server, host = '127.0.0.1', port = 0): Promise<number> {
  await new Promise<void>((done, fail) => {
    server.once('error', fail)
    server.listen(port, host, done)
  })
  return (server.address() as AddressInfo).port
}

/** Waits until it holds; fails after two minutes: a machine that stands still for seconds only makes a test slow. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + 120_000
  while (!holds()) {
    if (performance.now() > end) throw new Error(`never happened: ${what}`)
    await new Promise((done) => setTimeout(done, 2))
  }
}
