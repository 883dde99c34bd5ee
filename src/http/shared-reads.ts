/**
 * Accepted connections that all read into one buffer.
 *
 * Node gives each read a buffer of its own, 64 KiB taken and given back: a microsecond of ten. For client sockets it offers
 * `onread` with a buffer of the caller's; for accepted ones it has the same in its `Socket`, and no way to ask for it. So the
 * handle of the listening socket is asked directly. Where its inner parts are not as expected, connections are accepted the
 * usual way: slower, and otherwise the same.
 */
import { Socket, type Server } from 'node:net'
import type { TLSSocket } from 'node:tls'

interface ClientHandle {
  setNoDelay(on: boolean): number
}
interface ListenHandle {
  onconnection?: (this: unknown, status: number, client: ClientHandle | undefined) => void
}

/** One read at most: what arrives beyond it comes with the next. */
const READ_BYTES = 64 * 1024
const buffer = Buffer.allocUnsafeSlow(READ_BYTES)

/**
 * Passes every connection that `server` accepts to `onSocket`, with a function that sets who gets its bytes; these are valid
 * until the receiver returns.
 */
export function acceptInto(server: Server, onSocket: (socket: Socket, read: ReadInto) => void): void {
  const handle = (server as unknown as { _handle?: ListenHandle })._handle
  if (typeof handle?.onconnection !== 'function') {
    server.on('connection', (socket) => onSocket(socket, (receive) => void socket.on('data', receive)))
    return
  }
  handle.onconnection = (status, client) => {
    if (status !== 0 || client === undefined) return
    let receiver: (bytes: Buffer) => void
    const options = {
      handle: client,
      allowHalfOpen: true,
      onread: {
        buffer,
        callback(count: number) {
          receiver(buffer.subarray(0, count))
          return true
        },
      },
    }
    const socket = new Socket(options as unknown as ConstructorParameters<typeof Socket>[0])
    client.setNoDelay(true)
    onSocket(socket, (receive) => {
      receiver = receive
      socket.resume()
      socket.read(0)
    })
  }
}

/**
 * Has a TLS connection read into the same buffer. Node keeps the places for it under symbols of its own, which a socket that was made
 * with `onread` shows. Where that fails, it reads the usual way.
 */
export function readIntoShared(socket: TLSSocket, receive: (bytes: Buffer) => void): void {
  const handle = (socket as unknown as { _handle?: { useUserBuffer?(buffer: Buffer): void } })._handle
  if (BUFFER === undefined || CALLBACK === undefined || typeof handle?.useUserBuffer !== 'function') {
    socket.on('data', receive)
    return
  }
  const early = socket.read() as Buffer | null
  const inner = socket as unknown as Record<symbol, unknown>
  inner[BUFFER] = buffer
  inner[CALLBACK] = (count: number) => {
    receive(buffer.subarray(0, count))
    return true
  }
  handle.useUserBuffer(buffer)
  if (early !== null) receive(early)
  socket.resume()
  socket.read(0)
}

const [BUFFER, CALLBACK] = ['kBuffer', 'kBufferCb'].map((name) =>
  Object.getOwnPropertySymbols(new Socket()).find(({ description }) => description === name),
)

export type ReadInto = (receive: (bytes: Buffer) => void) => void
