/** Certificates from a real ACME authority (pebble, of Let's Encrypt), which asks this node as it would ask a node of the world. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect, type PeerCertificate } from 'node:tls'
import { certificateMaker, type CertificateMaker } from '../harness/certificates.ts'
import { startDns } from '../harness/dns-server.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { freePort } from '../harness/ports.ts'

interface Authority {
  readonly port: number
  readonly makers: CertificateMaker
  /** `dns` is the server by which it looks names up, else the system's. */
  start(t: TestContext, node: TestNode, more?: object, dns?: string): Promise<ChildProcess>
}

async function authority(t: TestContext): Promise<Authority> {
  const makers = certificateMaker(t)
  const own = makers.make('authority', ['localhost', '127.0.0.1'])
  const [port, management] = [await freePort(), await freePort()]
  return {
    port,
    makers,
    async start(t, node, more = {}, dns) {
      const file = join(makers.folder, 'pebble.json')
      const config = {
        pebble: {
          listenAddress: `127.0.0.1:${port}`,
          managementListenAddress: `127.0.0.1:${management}`,
          certificate: own.cert,
          privateKey: own.key,
          httpPort: Number(new URL(node.urls[0]!).port),
          tlsPort: Number(new URL(node.urls[1]!).port),
          ...more,
        },
      }
      writeFileSync(file, JSON.stringify(config))
      const child = spawn('pebble', ['-config', file, ...(dns === undefined ? [] : ['-dnsserver', dns])], {
        env: { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '20' },
        stdio: 'ignore',
      })
      t.after(() => child.kill('SIGKILL'))
      await new Promise((resolve, reject) => child.on('spawn', resolve).on('error', reject))
      return child
    },
  }
}

function startEdge(
  t: TestContext,
  { port, makers }: Authority,
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
          directory: `https://127.0.0.1:${port}/dir`,
          ca: join(makers.folder, 'authority.pem'),
          names: ['localhost'],
          contact: ['ops@example.org'],
          ...acme,
        },
      },
    },
  })
}

/** What the node shows. */
function certificateOf(node: TestNode): Promise<PeerCertificate> {
  const port = Number(new URL(node.urls[1]!).port)
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false })
    socket.on('secureConnect', () => {
      resolve(socket.getPeerCertificate())
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

const issuerOf = async (node: TestNode) => String((await certificateOf(node)).issuer.CN)

for (const challenge of ['http-01', 'tls-alpn-01'] as const) {
  test(`a certificate comes by ${challenge}, once the authority can be reached`, async (t) => {
    const pebble = await authority(t)
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
    const folder = join(node.folder, 'data', 'acme')
    assert.deepEqual(readdirSync(folder).toSorted(), ['account.key', 'localhost.pem'])
    for (const file of readdirSync(folder)) assert.equal(statSync(join(folder, file)).mode & 0o777, 0o600)
    assert.doesNotMatch(node.stderr(), /PRIVATE KEY/)
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
  const pebble = await authority(t)
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
  const serial = async () => (await certificateOf(node)).serialNumber
  await use(`https://127.0.0.1:${pebble.port}/dir`)
  await eventually(() => /signed by nobody that is known here.*`edge\.acme\.ca` names/.test(node.stderr()))
  const ca = join(pebble.makers.folder, 'authority.pem')
  await use(`https://127.0.0.1:${pebble.port}/dir`, ca)
  const first = await eventually(serial)
  // To this node, another address is another authority.
  await use(`https://127.0.0.1:${pebble.port}/dir?production`, ca)
  await eventually(async () => (await serial()) !== first)
  const kept = readFileSync(join(node.folder, 'data', 'acme', 'localhost.pem'), 'utf8')
  assert.match(kept, /^from https:.*\/dir\?production\n-----BEGIN CERTIFICATE-----\n/)
})

test('a certificate that cannot be kept is used all the same', async (t) => {
  const pebble = await authority(t)
  // What lies in the way of the file says no, to root as well.
  const node = await startEdge(t, pebble, {}, { 'data/acme/localhost.pem/in-the-way': '' })
  await pebble.start(t, node)
  assert.match(await eventually(() => issuerOf(node)), /Pebble Intermediate CA/)
  assert.match(node.stderr(), /localhost\.pem.*localhost has its certificate until this program ends/)
})

test('the hosts of sites that are added live get certificates, by an account that another one vouches for', async (t) => {
  const pebble = await authority(t)
  const [kid, hmacKey] = ['kid-1', 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W']
  const node = await startEdge(t, pebble, { names: undefined, externalAccount: { kid, hmacKey } })
  const dns = await startDns(t, { 'tv.example.org': { a: ['127.0.0.1'] } })
  const binding = { externalAccountBindingRequired: true, externalAccountMACKeys: { [kid!]: hmacKey } }
  await pebble.start(t, node, binding, dns.address)
  // Nobody asks for a name that no site has.
  assert.doesNotMatch(node.stderr(), /ACME/)
  const set = await node.orla('sites', 'set', 'tv.example.org', '--origin', 'http://127.0.0.1:9')
  assert.equal(set.code, 0, set.stderr)
  await eventually(() => node.stderr().includes('tv.example.org has a certificate until'), {
    what: 'tv.example.org has a certificate',
  })
  assert.ok(readdirSync(join(node.folder, 'data', 'acme')).includes('tv.example.org.pem'))
})

test('without the account that has to vouch, the log says what the authority says, and when it is asked again', async (t) => {
  const pebble = await authority(t)
  const node = await startEdge(t, pebble, {})
  await pebble.start(t, node, {
    externalAccountBindingRequired: true,
    externalAccountMACKeys: { other: 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W' },
  })
  await eventually(() =>
    /no certificate for localhost from the ACME authority: .*[Ee]xternal.*asked again in \d+ s/.test(
      node.stderr(),
    ),
  )
})

test('a certificate is renewed when two thirds of its life are over', async (t) => {
  const pebble = await authority(t)
  const node = await startEdge(t, pebble, {})
  await pebble.start(t, node, { certificateValidityPeriod: 15 })
  const serial = () =>
    eventually(
      () =>
        new Promise<string>((resolve, reject) => {
          const socket = connect({
            port: Number(new URL(node.urls[1]!).port),
            host: '127.0.0.1',
            servername: 'localhost',
            rejectUnauthorized: false,
          })
          socket.on('secureConnect', () => {
            resolve(socket.getPeerCertificate().serialNumber)
            socket.destroy()
          })
          socket.on('error', reject)
        }),
    )
  const first = await serial()
  await eventually(async () => (await serial()) !== first, { what: 'another certificate came' })
})
