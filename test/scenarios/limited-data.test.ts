/** Key/value data of one site's units, and tokens that are limited to another. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { startNode } from '../harness/node.ts'

/** What has written is lost with a step that is cut off: a unit has all the CPU that it may have. */
const unit = (host: string, more = '', store = 'kv') => `export default {
  hosts: ['${host}'], paths: ['/kv'], limits: { cpuMs: 1000, wallMs: 60000 }, ${more}
  async content(_request: unknown, edge: any) {
    await edge.${store}.put('seen', '${host}')
    return new Response(await edge.${store}.get('secret') ?? 'nothing')
  },
}`

test('a token that is limited to a site gets at no data of units of other sites, by no name', async (t) => {
  const node = await startNode(t, {
    config: {
      sites: [
        { hosts: ['a.example.org'], origin: 'http://127.0.0.1:9' },
        { hosts: ['b.example.org'], origin: 'http://127.0.0.1:9' },
      ],
    },
    units: {
      b: unit('b.example.org', "kv: 'shared',"),
      gone: unit('b.example.org'),
      cached: unit('b.example.org', '', 'cache').replace('/kv', '/cache'),
    },
  })
  const put = async (namespace: string) =>
    assert.equal((await node.orla('kv', 'put', namespace, 'secret', 'of b')).code, 0)
  for (const namespace of ['shared', 'gone']) await put(namespace)
  assert.equal((await node.request('/cache', { headers: { host: 'b.example.org' } })).text, 'nothing')
  for (const name of ['gone', 'cached']) assert.equal((await node.orla('remove', name)).code, 0)
  const made = await node.orla('tokens', 'new', 'a', '--role', 'deploy', '--site', 'a.example.org')
  assert.equal(made.code, 0, made.stderr)
  const token = made.stdout.trim()
  const deploy = async (name: string, source: string) => {
    await writeFile(join(node.folder, `${name}.ts`), source)
    return node.orla('deploy', `${name}.ts`, '--token', token)
  }
  const refuses = async (says: RegExp, asked: ReturnType<typeof deploy>) => {
    const { code, stderr } = await asked
    assert.equal(code, 1, stderr)
    assert.match(stderr, says)
  }
  await refuses(/mine would use the data of `shared`/, deploy('mine', unit('a.example.org', "kv: 'shared',")))
  // Named like what others share, and like what a unit left that is gone.
  await refuses(/shared would share the data of b/, deploy('shared', unit('a.example.org')))
  await refuses(/there is key\/value data called gone already/, deploy('gone', unit('a.example.org')))
  await refuses(
    /there is data in `edge\.cache` called cached already/,
    deploy('cached', unit('a.example.org', '', 'cache')),
  )
  for (const argv of [
    ['list'],
    ['list', 'shared'],
    ['get', 'shared', 'secret'],
    ['put', 'shared', 'secret', 'x'],
    ['delete', 'shared', 'secret'],
  ])
    await refuses(/limited to a\.example\.org/, node.orla('kv', ...argv, '--token', token))

  // Its own data is its own, also with a second version.
  const own = await deploy('own', unit('a.example.org'))
  assert.equal(own.code, 0, own.stderr)
  const ask = () => node.request('/kv', { headers: { host: 'a.example.org' } })
  assert.equal((await ask()).text, 'nothing')
  assert.equal((await deploy('own', unit('a.example.org'))).code, 0)
  assert.equal((await ask()).text, 'nothing')
})
