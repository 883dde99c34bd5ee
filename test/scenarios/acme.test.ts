/** Certificates from a real ACME authority (pebble, of Let's Encrypt), which asks this node as it would ask a node of the world. */
import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { type Authority, issuerOf, serialOf, startAuthority } from '../harness/acme-authority.ts'
import { certificateMaker, certificatesOf, pemOf } from '../harness/certificates.ts'
import { startDns } from '../harness/dns-server.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode } from '../harness/node.ts'

function startEdge(
  t: TestContext,
  { directory, ca }: Authority,
  acme: object,
  files: Readonly<Record<string, string>> = {},
): Promise<TestNode> {
  return startNode(t, {
    files,
    config: {
      edge: {
        workers: 2,
        listen: [
          { address: '127.0.0.1:0', redirectHttps: true },
          { address: '127.0.0.1:0', tls: {} },
        ],
        acme: {
          directory,
          ca,
          names: ['localhost'],
          contact: ['ops@example.org'],
          ...acme,
        },
      },
    },
  })
}

for (const challenge of ['http-01', 'tls-alpn-01'] as const) {
  test(`a certificate comes by ${challenge}, once the authority can be reached`, async (t) => {
    const pebble = await startAuthority(t)
    const node = await startEdge(t, pebble, { challenge })
    await eventually(() =>
      /warning: no certificate for localhost from the ACME authority: .*it has none; asked again in/.test(
        node.stderr(),
      ),
    )
    await assert.rejects(issuerOf(node))
    await pebble.start(t, node)
    const issuer = await eventually(() => issuerOf(node))
    assert.match(issuer, /Pebble Intermediate CA/)
    // All workers have it; each hears of it by itself.
    await eventually(async () => {
      for (let i = 0; i < 8; i += 1) assert.equal(await issuerOf(node), issuer)
      return true
    })
    const data = join(node.folder, 'data')
    assert.deepEqual(readdirSync(join(data, 'acme')), ['account.key'])
    assert.equal(statSync(join(data, 'acme', 'account.key')).mode & 0o777, 0o600)
    assert.doesNotMatch(node.stderr(), /PRIVATE KEY/)
    for (const file of ['orla.db', 'orla.db-wal'])
      assert.ok(!readFileSync(join(data, file)).includes('PRIVATE KEY'), file)
    // Nothing of the way there is left.
    const { entries } = JSON.parse((await node.api('GET', '/v1/snapshot')).text) as { entries: object }
    assert.deepEqual(Object.keys(entries), ['certificate/localhost'])
    assert.match(
      (await node.api('GET', '/metrics')).text,
      /orla_tls_certificate_expiry_timestamp_seconds\{name="localhost"\}/,
    )

    // The certificate is there again after a start without the authority.
    await node.stop()
    const again = await startNode(t, {
      folder: node.folder,
      config: {
        edge: {
          listen: [{ address: '127.0.0.1:0' }, { address: '127.0.0.1:0', tls: {} }],
          acme: { directory: 'http://127.0.0.1:9/', names: ['localhost'] },
        },
      },
    })
    assert.equal(await issuerOf(again), issuer)
    await again.stop()
  })
}

test('another authority is asked from a reload on, and what there is serves until it has answered', async (t) => {
  const pebble = await startAuthority(t)
  const node = await startEdge(t, pebble, { directory: 'http://127.0.0.1:9/' })
  await pebble.start(t, node)
  await eventually(() => /no certificate for localhost.*it has none/.test(node.stderr()))
  const path = join(node.folder, 'orla.config.json')
  const use = async (directory: string, ca?: string) => {
    const config = JSON.parse(readFileSync(path, 'utf8')) as { edge: { acme: object } }
    config.edge.acme = { ...config.edge.acme, directory, ca }
    writeFileSync(path, JSON.stringify(config))
    const { code, stderr } = await node.orla('reload')
    assert.equal(code, 0, stderr)
  }
  const serial = () => serialOf(node)
  await use(pebble.directory)
  await eventually(() => /signed by nobody that is known here.*`edge\.acme\.ca` names/.test(node.stderr()))
  const { ca } = pebble
  await use(pebble.directory, ca)
  const first = await eventually(serial)
  // To this node, another address is another authority.
  await use(`${pebble.directory}?production`, ca)
  await eventually(async () => (await serial()) !== first)
  const [kept] = await certificatesOf(node)
  assert.equal(kept!.authority, `${pebble.directory}?production`)
})

test('a certificate that cannot be stored is used all the same, and stored when that can be', async (t) => {
  const pebble = await startAuthority(t)
  const node = await startEdge(t, pebble, {})
  // It takes its time to look, and meanwhile the store goes away.
  await pebble.start(t, node, { env: { PEBBLE_VA_SLEEPTIME: '3' } })
  await eventually(async () => (await node.api('GET', '/v1/snapshot')).text.includes('acme-challenge/'))
  const file = join(node.folder, 'data', 'orla.db')
  renameSync(file, `${file}.away`)
  assert.match(await eventually(() => issuerOf(node)), /Pebble Intermediate CA/)
  await eventually(() => /localhost has its certificate on this node alone/.test(node.stderr()))
  assert.deepEqual(await certificatesOf(node), [])
  renameSync(`${file}.away`, file)
  const [stored] = await eventually(async () => {
    const all = await certificatesOf(node)
    return all.length > 0 && all
  })
  assert.equal(stored!.name, 'localhost')
})

test('certificates that lie as files come into the log at the start, and go as files', async (t) => {
  const makers = certificateMaker(t)
  const { cert, key } = pemOf(makers.make('one', ['localhost']))
  const pkcs8 = createPrivateKey(key).export({ type: 'pkcs8', format: 'pem' }) as string
  const directory = 'http://127.0.0.1:9/'
  const files = {
    'data/acme/localhost.pem': `from ${directory}\n${cert.trim()}\n${pkcs8}`,
    'data/acme/broken.pem': 'nothing',
  }
  const node = await startNode(t, {
    files,
    config: {
      edge: {
        listen: ['127.0.0.1:0', { address: '127.0.0.1:0', tls: {} }],
        acme: { directory, names: ['localhost'] },
      },
    },
  })
  assert.equal(await issuerOf(node), 'localhost')
  assert.deepEqual(readdirSync(join(node.folder, 'data', 'acme')), ['broken.pem'])
  assert.match(node.stderr(), /broken\.pem holds no private key; it is not used/)
  // It is in force, so nobody is asked for another one.
  assert.doesNotMatch(node.stderr(), /no certificate for/)
  const [{ source, authority } = {}] = await certificatesOf(node)
  assert.deepEqual([source, authority], ['acme', directory])
})

test('the hosts of sites that are added live get certificates, by an account that another one vouches for', async (t) => {
  const pebble = await startAuthority(t)
  const [kid, hmacKey] = ['kid-1', 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W']
  const node = await startEdge(t, pebble, { names: undefined, externalAccount: { kid, hmacKey } })
  const dns = await startDns(t, { 'tv.example.org': { a: ['127.0.0.1'] } })
  const binding = { externalAccountBindingRequired: true, externalAccountMACKeys: { [kid!]: hmacKey } }
  await pebble.start(t, node, { more: binding, dns: dns.address })
  // Nobody asks for a name that no site has.
  assert.doesNotMatch(node.stderr(), /ACME/)
  const set = await node.orla('sites', 'set', 'tv.example.org', '--origin', 'http://127.0.0.1:9')
  assert.equal(set.code, 0, set.stderr)
  await eventually(() => node.stderr().includes('tv.example.org has a certificate until'), {
    what: 'tv.example.org has a certificate',
  })
  assert.deepEqual(
    (await certificatesOf(node)).map(({ name, source, names }) => [name, source, names]),
    [['tv.example.org', 'acme', ['tv.example.org']]],
  )
})

test('without the account that has to vouch, the log says what the authority says, and when it is asked again', async (t) => {
  const pebble = await startAuthority(t)
  const node = await startEdge(t, pebble, {})
  const externalAccountMACKeys = { other: 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W' }
  await pebble.start(t, node, { more: { externalAccountBindingRequired: true, externalAccountMACKeys } })
  await eventually(() =>
    /no certificate for localhost from the ACME authority: .*[Ee]xternal.*asked again in \d+ s/.test(
      node.stderr(),
    ),
  )
})

test('a certificate is renewed when two thirds of its life are over', async (t) => {
  const pebble = await startAuthority(t)
  const node = await startEdge(t, pebble, {})
  await pebble.start(t, node, { more: { certificateValidityPeriod: 15 } })
  const serial = () => eventually(() => serialOf(node))
  const first = await serial()
  await eventually(async () => (await serial()) !== first, { what: 'another certificate came' })
})
