/** Units that are signed, on a node that runs no others. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { orla } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode, WITH_TIME } from '../harness/node.ts'

const SOURCE = `export default {
  paths: ['/hi'],
  limits: { cpuMs: 500 },
  content: (_request: unknown, edge: { env: Record<string, string> }) => new Response('hi ' + edge.env['A']),
}
`

test('a node that asks for signatures runs what a trusted key signed, and nothing that was changed', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'orla-signed-'))
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const key = (name: string) => orla(['keys', 'new', name], { cwd: folder })
  const trusted = (await key('good.key')).stdout.trim()
  assert.match(trusted, /^ed25519:[A-Za-z0-9+/]{43}=$/)
  assert.equal((await stat(join(folder, 'good.key'))).mode & 0o777, 0o600)
  assert.equal((await key('good.key')).code, 1)
  const shown = (name: string) => orla(['keys', 'show', name], { cwd: folder })
  assert.equal((await shown('good.key')).stdout.trim(), trusted)
  assert.match((await shown('no.key')).stderr, /no\.key cannot be read: there is no such file/)
  await key('other.key')

  const config = { control: { units: { trustedKeys: [trusted], requireSignature: true } } }
  const node = await startNode(t, { folder, config })
  await writeFile(join(folder, 'hi.ts'), SOURCE)
  const deploy = (...more: string[]) => node.orla('deploy', 'hi.ts', '--env', 'A=1', ...more)
  const refuses = async (says: RegExp, ...more: string[]) => {
    const { code, stderr } = await deploy(...more)
    assert.equal(code, 1, stderr)
    assert.match(stderr, says)
  }
  await refuses(/hi is not signed, and this node runs signed units alone/)
  await refuses(/is signed with the key [0-9a-f]{16}, which is not trusted here/, '--sign', 'other.key')
  await refuses(/nokey cannot be read: there is no such file/, '--sign', 'nokey')
  await refuses(/hi\.ts holds no private key in PEM\n {2}`orla keys new FILE` makes one/, '--sign', 'hi.ts')
  const { code, stderr } = await deploy('--sign', 'good.key')
  assert.equal(code, 0, stderr)
  assert.equal((await node.request('/hi')).text, 'hi 1')
  // Values may change without the key, code and manifest may not.
  assert.equal((await node.orla('env', 'hi', '--env', 'A=2')).code, 0)
  assert.equal((await node.request('/hi')).text, 'hi 2')
  assert.equal((await node.orla('rollback', 'hi')).code, 0)
  const { signature } = JSON.parse(
    (JSON.parse((await node.api('GET', '/v1/snapshot')).text) as { entries: Record<string, string> }).entries[
      'unit-version/hi/1'
    ]!,
  ) as { signature: string }
  for (const [name, source] of [
    ['hi', SOURCE.replace("'hi '", "'ho '")],
    ['hi', SOURCE.replace('/hi', '/*')],
    ['ho', SOURCE],
  ] as const) {
    const body = { source, entry: 'hi.ts', signature, ...WITH_TIME }
    const answer = await node.api('PUT', `/v1/units/${name}`, body)
    assert.equal(answer.status, 422, answer.text)
    assert.match(answer.text, /is not of its name, code and manifest/)
  }
  assert.equal((await node.request('/hi')).text, 'hi 1')

  const passing = `export default {
    paths: ['/hi', '/open'], limits: { cpuMs: 1000 },
    headerFilter(_request: any, response: any) { response.headers.set('x-passed', 'yes') },
    content: () => new Response('open'),
    onError: 'open',
  }`
  await writeFile(join(folder, 'pass.ts'), passing)
  const passed = await node.orla('deploy', 'pass.ts', '--sign', 'good.key')
  assert.equal(passed.code, 0, passed.stderr)

  // Whoever can write the store cannot make an edge run it; and no other unit pays for that.
  await node.stop()
  const db = new DatabaseSync(join(folder, 'data', 'orla.db'))
  db.exec(
    `UPDATE state SET value = replace(value, 'cpuMs":500', 'cpuMs":900') WHERE key = 'unit-version/hi/1'`,
  )
  db.close()
  const again = await startNode(t, { folder, config })
  const barred = /hi@1 is not run: the signature of hi is not of its name, code and manifest/
  await eventually(() => barred.test(again.stderr()))
  const refused = await again.request('/hi')
  assert.equal(refused.status, 503)
  assert.match(refused.text, /the unit hi failed \(unsigned\)/)
  assert.equal((await again.request('/open')).text, 'open')
  assert.equal((await again.request('/open')).headers['x-passed'], 'yes')
  const listed = JSON.parse((await again.orla('units', '--json')).stdout) as {
    name: string
    state: string
    barred?: string
  }[]
  assert.deepEqual(
    listed.map(({ name, state }) => `${name} ${state}`),
    ['hi unsigned', 'pass live'],
  )
  assert.match(listed[0]!.barred!, /the signature of hi is not of/)
  assert.match((await again.orla('units', 'hi')).stdout, /^not run +the signature of hi/m)
  assert.match((await again.api('GET', '/metrics')).text, /^orla_units\{state="unsigned"\} 1$/m)
  // It may be switched off and on, which runs nothing, and is healed by a deploy.
  assert.equal((await again.orla('disable', 'hi')).code, 0)
  assert.equal((await again.request('/hi')).text, 'open')
  assert.equal((await again.orla('enable', 'hi')).code, 0)
  assert.equal((await again.request('/hi')).status, 503)
  const healed = await again.orla('deploy', 'hi.ts', '--sign', 'good.key')
  assert.equal(healed.code, 0, healed.stderr)
  assert.equal((await again.request('/hi')).text, 'hi 1')
})
