/** An origin for tests that answers every request with its name, and does otherwise when it is told to. */
import { rawServer, type RawConnection, type RawServer } from './raw-server.ts'

export interface NamedServer extends RawServer {
  readonly name: string
  /** Targets of requests, in order. */
  readonly requests: string[]
  /** Instead of 200: another status, or whatever a function does with the connection. */
  behaves: number | ((connection: RawConnection) => void)
}

export async function namedServer(
  name: string,
  at: { readonly host?: string; readonly port?: number } = {},
): Promise<NamedServer> {
  const requests: string[] = []
  const server = await rawServer((connection, text) => {
    for (const [, target] of text.matchAll(/^[A-Z]+ (\S+) HTTP\/1\.1\r$/gm)) {
      requests.push(target!)
      if (typeof named.behaves === 'function') named.behaves(connection)
      else {
        const head = `HTTP/1.1 ${named.behaves} Fine\r\ncontent-length: ${name.length}\r\n\r\n`
        connection.socket.write(head + name)
      }
    }
  }, at)
  const named: NamedServer = { ...server, name, requests, behaves: 200 }
  return named
}
