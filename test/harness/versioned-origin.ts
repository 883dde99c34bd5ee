/** An origin whose answers say which version of the world they are from, and are good for an hour. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

export interface VersionedOrigin {
  readonly url: string
  /** Requests by path. */
  readonly asked: Map<string, number>
  /** What it answers from now on. */
  version: number
}

/** Tags are `all` and `of-FIRST`, after the first part of the path; `?slow=MS` waits before it answers with what was there when it was asked. */
export async function startVersionedOrigin(t: TestContext): Promise<VersionedOrigin> {
  const asked = new Map<string, number>()
  const server = createServer((request, response) => {
    const path = request.url!
    asked.set(path, (asked.get(path) ?? 0) + 1)
    const { version } = origin
    const answer = () => {
      response.writeHead(200, {
        'cache-control': 'max-age=3600, stale-while-revalidate=60',
        'cache-tag': `all, of-${path.split('/')[1]}`,
        'cache-groups': '"every"',
        etag: `"${version}"`,
        ...(path.includes('invalidates') && { 'cache-group-invalidation': '"every"' }),
      })
      response.end(`${request.method} version ${version}`)
    }
    const wait = /slow=(\d+)/.exec(path)?.[1]
    if (wait === undefined) answer()
    else setTimeout(answer, Number(wait))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => void (server.close(), server.closeAllConnections()))
  const { port } = server.address() as AddressInfo
  const origin: VersionedOrigin = { url: `http://127.0.0.1:${port}`, asked, version: 1 }
  return origin
}
