/** Files that the configuration names and workers open later: what is wrong with one is said at the start and at a reload. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { startNode, WITH_TIME } from '../harness/node.ts'

test('authorities of fetches that cannot be read refuse the start and the reload', async (t) => {
  const config = { edge: { fetch: { ca: 'api-ca.pem' } }, sites: [] }
  await assert.rejects(
    startNode(t, { config }),
    /edge\.fetch\.ca: the certificate \/.*\/api-ca\.pem cannot be read: there is no such file/,
  )
  await assert.rejects(
    startNode(t, { config, files: { 'api-ca.pem': 'nonsense' } }),
    /edge\.fetch\.ca: .*api-ca\.pem holds no certificate in PEM/,
  )
  const node = await startNode(t, { config: { sites: [] } })
  const path = join(node.folder, 'orla.config.json')
  const written = JSON.parse(await readFile(path, 'utf8')) as { edge: object }
  const edge = { ...written.edge, fetch: { ca: 'api-ca.pem' } }
  await writeFile(path, JSON.stringify({ ...written, edge }))
  const { status, text } = await node.api('POST', '/v1/reload', WITH_TIME)
  assert.equal(status, 422, text)
  assert.match(text, /edge\.fetch\.ca: the certificate .*api-ca\.pem cannot be read/)
})
