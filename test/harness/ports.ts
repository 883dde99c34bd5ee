import { once } from 'node:events'
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { eventually } from './eventually.ts'

/**
 * A port for what has to be told one before it starts. Below those that the system gives to connections and to servers of other tests, so
 * that it is still free then.
 */
export const freePort = (): Promise<number> =>
  eventually(async () => {
    const port = randomInt(10_000, 32_000)
    const server = createServer()
    await once(server.listen(port, '127.0.0.1'), 'listening')
    server.close()
    await once(server, 'close')
    return port
  })
