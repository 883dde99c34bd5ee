/** The control plane's listener: the admin API on a port of its own. */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { controlApp, type AppOptions } from './app.ts'

export interface ControlServer {
  /** `127.0.0.1:8081`, with the port that the system chose where 0 was asked for. */
  readonly address: string
  /** Takes no more connections, and lets requests finish for that long; streams, which have no end, are cut then. */
  close(graceMs: number): Promise<void>
}

export async function startControl(
  /** `fd` is a listening socket, which belongs to the server from here on. */
  options: AppOptions & { readonly fd: number },
): Promise<ControlServer> {
  const app = controlApp(options)
  // The adaptor would put a Response of its own in place of the global one, whose `Response.json` then has no body.
  const server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ fd: options.fd }, resolve)
  })
  const { address, port, family } = server.address() as AddressInfo
  return {
    address: family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`,
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()))
      server.closeIdleConnections()
      const timer = setTimeout(() => server.closeAllConnections(), graceMs)
      await closed
      clearTimeout(timer)
    },
  }
}
