/** How TLS is spoken changes with a reload: certificates, what is asked of clients, what is said over it. All of it or nothing. */
import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { connect as connectPlain } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect, type ConnectionOptions } from 'node:tls'
import type { ConfigInput } from '../../src/config/schema.ts'
import type { ReloadResult } from '../../src/control/shapes.ts'
import { certificateMaker, pemOf, type CertificatePaths } from '../harness/certificates.ts'
import { eventually } from '../harness/eventually.ts'
import { ask } from '../harness/http-client.ts'
import { askHttps } from '../harness/https-client.ts'
import { PATIENT, startNode, type TestNode, WITH_TIME } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

const tlsListener = (certificates: readonly CertificatePaths[], tls: object = {}, more: object = {}) => ({
  address: '127.0.0.1:0',
  tls: { certificates: [...certificates], ...tls },
  ...more,
})

/** Nobody answers for any host here: that it is said over TLS is what counts. */
const sites: ConfigInput['sites'] = []

/** Writes the file of the node with another `edge` and other sites. */
function writeConfig(node: TestNode, edge: object, other?: ConfigInput['sites']): void {
  const path = join(node.folder, 'orla.config.json')
  const config = JSON.parse(readFileSync(path, 'utf8')) as ConfigInput
  const next = { ...config, edge: { ...config.edge, ...edge }, ...(other && { sites: other }) }
  writeFileSync(path, JSON.stringify(next))
}

async function reload(node: TestNode): Promise<ReloadResult> {
  const { status, text } = await node.api('POST', '/v1/reload', WITH_TIME)
  assert.equal(status, 200, text)
  return JSON.parse(text) as ReloadResult
}

const subjectOf = async (node: TestNode, servername: string) =>
  (await askHttps(node.url, '/', { servername })).subject

test('a pair is added, replaced and removed with a reload, on all workers, beside the sites of the same file', async (t) => {
  const make = certificateMaker(t)
  const one = make.make('one', ['one.test'])
  const two = make.make('two', ['two.test'])
  const other = make.make('other', ['other.test', 'two.test'])
  const origin = await startOrigin(t, (_request, response) => response.end('site'))
  const node = await startNode(t, {
    config: { edge: { workers: 2, limits: PATIENT, listen: tlsListener([one]) }, sites },
  })
  const { port } = new URL(node.url)
  const kept = connect({ port: Number(port), host: '127.0.0.1', rejectUnauthorized: false })
  await once(kept, 'secureConnect')
  assert.equal(await subjectOf(node, 'two.test'), 'one.test')

  writeConfig(node, { listen: tlsListener([one, two]) }, [{ hosts: ['two.test'], origin: origin.url }])
  const { code, stderr } = await node.orla('reload')
  assert.equal(code, 0, stderr)
  for (let i = 0; i < 3; i += 1) assert.equal(await subjectOf(node, 'two.test'), 'two.test')
  assert.equal(await subjectOf(node, 'one.test'), 'one.test')
  assert.match((await askHttps(node.url, '/', { servername: 'two.test' })).text, /\r\n\r\nsite$/)

  writeConfig(node, { listen: tlsListener([one, other]) })
  await reload(node)
  for (let i = 0; i < 3; i += 1) assert.equal(await subjectOf(node, 'two.test'), 'other.test')
  writeConfig(node, { listen: tlsListener([one]) })
  await reload(node)
  for (let i = 0; i < 3; i += 1) assert.equal(await subjectOf(node, 'two.test'), 'one.test')

  // Who was connected before goes on.
  let text = ''
  kept.setEncoding('latin1').on('data', (piece: string) => (text += piece))
  kept.write('GET / HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\n\r\n')
  await once(kept, 'end')
  assert.match(text, /^HTTP\/1\.1 404 /)
})

test('how often ticket keys change is live, also where the one in use is older than that', async (t) => {
  const make = certificateMaker(t)
  const listen = tlsListener([make.make('one', ['one.test'])])
  const node = await startNode(t, { config: { edge: { workers: 2, listen, ticketsRotate: '30d' }, sites } })
  /** The name of the key that seals tickets now. */
  const keyName = async () =>
    (await askHttps(node.url, '/', { servername: 'one.test', maxVersion: 'TLSv1.2' })).ticket!.toString(
      'hex',
      0,
      16,
    )
  const first = await keyName()
  writeConfig(node, { ticketsRotate: '1s' })
  assert.deepEqual((await reload(node)).settings, ['edge.ticketsRotate'])
  await eventually(async () => (await keyName()) !== first)
})

test('a pair that cannot be used refuses the whole reload, whoever asks for it, and what was in force goes on', async (t) => {
  const make = certificateMaker(t)
  const live = make.make('live', ['one.test'])
  const two = make.make('two', ['two.test'])
  const more = [{ hosts: ['new.test'], origin: 'http://127.0.0.1:1' }]
  const node = await startNode(t, {
    config: { edge: { limits: PATIENT, listen: tlsListener([live]) }, sites },
  })
  const goesOn = async () => {
    assert.equal(await subjectOf(node, 'two.test'), 'one.test')
    assert.equal((await node.api('GET', '/v1/sites/new.test')).status, 404)
  }
  writeConfig(node, { listen: tlsListener([live, { cert: two.cert, key: live.key }]) }, more)
  const refused = await node.orla('reload')
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /live\.key is not the key of the certificate in .*two\.pem/)
  await goesOn()
  writeConfig(node, { listen: tlsListener([live, { cert: '/nowhere/a.pem', key: live.key }]) })
  const { status, text } = await node.api('POST', '/v1/reload', WITH_TIME)
  assert.equal(status, 422, text)
  assert.match(text, /the certificate \/nowhere\/a\.pem cannot be read: there is no such file/)
  writeConfig(node, { listen: tlsListener([live], { ciphers: 'NONSENSE' }) })
  const unspeakable = await node.api('POST', '/v1/reload', WITH_TIME)
  assert.match(unspeakable.text, /edge\.listen\[0\]\.tls\.ciphers: OpenSSL takes none of/)
  await goesOn()

  // The same configuration, and another content of its files.
  writeConfig(node, { listen: tlsListener([live]) }, sites)
  await reload(node)
  const key = readFileSync(live.key)
  writeFileSync(live.key, 'nonsense')
  const broken = await node.orla('reload')
  assert.equal(broken.code, 1)
  assert.match(broken.stderr, /live\.key holds no private key in PEM/)
  node.kill('SIGHUP')
  await eventually(() => /was not reloaded \(SIGHUP\).*live\.key holds no private key/.test(node.stderr()))
  await goesOn()
  writeFileSync(live.key, key)
  await reload(node)
  copyFileSync(two.key, live.key)
  copyFileSync(two.cert, live.cert)
  node.kill('SIGHUP')
  await eventually(async () => (await subjectOf(node, 'one.test')) === 'two.test')
  assert.doesNotMatch(node.stderr(), /BEGIN|PRIVATE KEY/)
})

test('clients are asked for certificates from a reload on, and no session of before gets around it', async (t) => {
  const make = certificateMaker(t)
  const server = make.make('server', ['edge.test'])
  const ca = make.make('ca', ['Test Authority'])
  const alice = pemOf(make.make('alice', ['alice'], { ca }))
  const node = await startNode(t, {
    config: { edge: { limits: PATIENT, listen: tlsListener([server]) }, sites },
  })
  const askAs = (options: ConnectionOptions) =>
    askHttps(node.url, '/', { servername: 'edge.test', ...options })
  // With TLS 1.3 a client may hear after its own handshake that it is not let in.
  const isServed = (options: ConnectionOptions) =>
    askAs(options).then(
      ({ text }) => text.startsWith('HTTP/1.1 404 '),
      () => false,
    )
  const before = await askAs({})
  assert.equal((await askAs({ session: before.session! })).isReused, true)

  writeConfig(node, {
    listen: tlsListener([server], { minVersion: '1.3', clientAuth: { ca: ca.cert } }, { http2: false }),
  })
  await reload(node)
  assert.equal(await isServed({}), false)
  assert.equal(await isServed({ session: before.session! }), false)
  const shown = await askAs(alice)
  assert.match(shown.text, /^HTTP\/1\.1 404 /)
  assert.equal((await askAs({ ...alice, session: shown.session! })).isReused, true)
  assert.equal(await isServed({ ...alice, maxVersion: 'TLSv1.2' }), false)

  // Another authority: whoever came by the one before starts anew, and does not get in.
  const others = make.make('others', ['Other Authority'])
  writeConfig(node, { listen: tlsListener([server], { clientAuth: { ca: others.cert } }) })
  await reload(node)
  assert.equal(await isServed({ ...alice, session: shown.session! }), false)
})

test('redirects, HSTS and the time of a handshake change with a reload', async (t) => {
  const make = certificateMaker(t)
  const pair = make.make('a', ['a.test'])
  const plain = (more: object) => ({ address: '127.0.0.1:0', ...more })
  const node = await startNode(t, {
    config: { edge: { limits: PATIENT, listen: [tlsListener([pair]), plain({})] }, sites },
  })
  const [https, http] = node.urls as [string, string]
  assert.equal((await ask(`${http}/`)).status, 404)
  assert.doesNotMatch((await askHttps(https, '/')).text, /strict-transport-security/i)

  writeConfig(node, {
    limits: { ...PATIENT, handshake: '200ms' },
    listen: [tlsListener([pair], {}, { hsts: { maxAge: '1d' } }), plain({ redirectHttps: true })],
  })
  const { code, stdout, stderr } = await node.orla('reload', '--json')
  assert.equal(code, 0, stderr)
  // The change of the file may have been noticed first.
  const { settings } = JSON.parse(stdout) as ReloadResult
  assert.match(
    settings.join(),
    /^$|^edge\.listen\[0\]\.hsts,edge\.listen\[1\]\.redirectHttps,edge\.limits\.handshake$/,
  )
  assert.equal((await ask(`${http}/`)).status, 308)
  const slow = connectPlain({ port: Number(new URL(https).port), host: '127.0.0.1' })
  slow.on('error', () => {})
  await once(slow, 'close')

  writeConfig(node, { limits: PATIENT })
  await reload(node)
  assert.match((await askHttps(https, '/')).text, /strict-transport-security: max-age=86400/i)

  // A listener that speaks TLS from now on is another socket's matter.
  writeConfig(node, { listen: [tlsListener([pair]), tlsListener([pair])] })
  const refused = await node.api('POST', '/v1/reload', WITH_TIME)
  assert.equal(refused.status, 409)
  assert.match(refused.text, /this needs a restart: edge\.listen\[1\]\.tls is not set/)
})
