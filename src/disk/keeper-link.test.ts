/** When a worker looks for the keeper. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from './disk.support.ts'
import { KeeperLink } from './keeper-link.ts'

test('a worker without a tier on disk looks for no keeper, one with a tier does until it has none', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'orla-link-'))
  const path = join(folder, 's')
  const sockets: Socket[] = []
  const server = createServer((socket) => sockets.push(socket.resume())).listen(path)
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
    rmSync(folder, { recursive: true, force: true })
  })
  await once(server, 'listening')
  const [idle, used] = [new KeeperLink(path), new KeeperLink(path)]
  t.after(() => [idle, used].map((link) => link.close()))
  const tier = { onOpen() {} }
  used.attach('shared', tier)
  await until(() => used.hasRoom && sockets.length > 0)
  assert.equal(sockets.length, 1)
  assert.equal(idle.hasRoom, false)
  sockets[0]!.destroy()
  await until(() => sockets.length === 2 && used.hasRoom)
  used.detach(tier)
  sockets[1]!.destroy()
  await until(() => !used.hasRoom)
  used.attach('shared', tier)
  await until(() => sockets.length === 3 && used.hasRoom)
})
