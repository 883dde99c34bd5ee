/** HTTPS towards clients: certificates by name, swapped while serving, clients' certificates, resumption over all workers. */
import assert from 'node:assert/strict'
import { copyFileSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { request } from 'node:https'
import { connect as connectPlain } from 'node:net'
import { test } from 'node:test'
import { connect, type ConnectionOptions } from 'node:tls'
import { certificateMaker, pemOf } from '../harness/certificates.ts'
import { eventually } from '../harness/eventually.ts'
import { ask } from '../harness/http-client.ts'
import { askHttps } from '../harness/https-client.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

const hello = `export default { paths: ['/unit'], content: (request, edge) =>
  Response.json({ url: request.url, client: edge.client }) }`

test('a client gets the certificate of the name it asks for, and units see HTTPS', async (t) => {
  const certificates = certificateMaker(t)
  const origin = await startOrigin(t, (request, response) =>
    response.end(String(request.headers['x-forwarded-proto'])),
  )
  const node = await startNode(t, {
    config: {
      edge: {
        listen: [
          {
            address: '127.0.0.1:0',
            tls: {
              certificates: [
                certificates.make('first', ['first.test']),
                certificates.make('wild', ['*.wild.test', 'wild.test']),
              ],
            },
          },
          '127.0.0.1:0',
        ],
      },
      sites: [{ origin: origin.url, cache: {} }],
    },
    units: { hello },
  })
  assert.match(node.url, /^https:/)
  assert.match(node.urls[1]!, /^http:/)
  const subjectOf = async (servername?: string) =>
    (await askHttps(node.url, '/', servername === undefined ? {} : { servername })).subject
  assert.equal(await subjectOf(), 'first.test')
  assert.equal(await subjectOf('first.test'), 'first.test')
  assert.equal(await subjectOf('wild.test'), '*.wild.test')
  assert.equal(await subjectOf('A.wild.test'), '*.wild.test')
  assert.equal(await subjectOf('a.b.wild.test'), 'first.test')
  assert.equal(await subjectOf('other.test'), 'first.test')

  const { text } = await askHttps(node.url, '/unit?x=1', { servername: 'wild.test' })
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n/)
  assert.match(text, /"url":"https:\/\/wild\.test\/unit\?x=1"/)
  assert.match((await askHttps(node.url, '/a')).text, /\r\n\r\nhttps$/)

  const old = askHttps(node.url, '/', {
    minVersion: 'TLSv1.1',
    maxVersion: 'TLSv1.1',
    ciphers: 'ALL@SECLEVEL=0',
  })
  await assert.rejects(old)
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const)
    assert.match((await askHttps(node.url, '/', { maxVersion })).text, /^HTTP\/1\.1 200/)
  // A worker that is busy for a while is left out of the metrics.
  const metrics = await eventually(async () => {
    const { text } = await node.api('GET', '/metrics')
    return text.includes('orla_tls_handshakes_total') && text
  })
  assert.match(metrics, /orla_tls_handshakes_total\{[^}]*version="TLSv1\.3"[^}]*\} \d/)
  assert.match(metrics, /orla_tls_handshake_failures_total\{reason="unsupported-protocol"\} 1/)
  assert.match(metrics, /orla_tls_certificate_expiry_timestamp_seconds\{name="first\.test"\} \d{10}/)
})

test('a certificate is swapped while serving; a broken pair leaves the one in force, and says so', async (t) => {
  const certificates = certificateMaker(t)
  const live = certificates.make('live', ['one.test'])
  const two = certificates.make('two', ['two.test'])
  const node = await startNode(t, {
    config: {
      edge: { workers: 2, listen: { address: '127.0.0.1:0', tls: { certificates: [live] } } },
      sites: [],
    },
    units: { hello },
  })
  const subject = async () => (await askHttps(node.url, '/unit')).subject
  assert.equal(await subject(), 'one.test')
  const kept = connect({ port: Number(new URL(node.url).port), host: '127.0.0.1', rejectUnauthorized: false })
  await once(kept, 'secureConnect')

  copyFileSync(two.cert, live.cert)
  await eventually(() => /is not the key of the certificate/.test(node.stderr()))
  assert.match(node.stderr(), /warning: .*live\.key is not the key of .*live\.pem; what was in force stays/)
  assert.equal(await subject(), 'one.test')
  copyFileSync(two.key, live.key)
  await eventually(async () => (await subject()) === 'two.test' && (await subject()) === 'two.test')
  writeFileSync(live.cert, 'nonsense')
  await eventually(() => /live\.pem holds no certificate in PEM/.test(node.stderr()))
  assert.equal(await subject(), 'two.test')
  assert.doesNotMatch(node.stderr(), /BEGIN|PRIVATE KEY/)

  // Who was connected before goes on.
  let text = ''
  kept.setEncoding('latin1').on('data', (piece: string) => (text += piece))
  kept.write('GET /unit HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\n\r\n')
  await once(kept, 'end')
  assert.match(text, /^HTTP\/1\.1 200 OK/)
})

test('a missing certificate, a wrong key and a locked key are errors at the start that name the file', async (t) => {
  const certificates = certificateMaker(t)
  const one = certificates.make('one', ['one.test'])
  const two = certificates.make('two', ['two.test'])
  const cases = [
    [
      { cert: '/nowhere/a.pem', key: one.key },
      /the certificate \/nowhere\/a\.pem cannot be read: there is no such file/,
    ],
    [{ cert: one.cert, key: two.key }, /two\.key is not the key of the certificate in .*one\.pem/],
    [{ cert: one.key, key: one.key }, /one\.key holds no certificate in PEM/],
    [{ cert: one.cert, key: one.cert }, /one\.pem holds no private key in PEM/],
  ] as const
  for (const [pair, expected] of cases) {
    const config = { edge: { listen: { address: '127.0.0.1:0', tls: { certificates: [pair] } } } }
    await assert.rejects(startNode(t, { config }), (error: Error) => {
      assert.match(error.message, expected)
      assert.doesNotMatch(error.message, /PRIVATE KEY/)
      return true
    })
  }
})

test('an expired certificate is served, with a warning: some clients still come in', async (t) => {
  const certificates = certificateMaker(t)
  const node = await startNode(t, {
    config: {
      edge: {
        listen: {
          address: '127.0.0.1:0',
          tls: { certificates: [certificates.make('old', ['old.test'], { days: -1 })] },
        },
      },
    },
  })
  assert.match(node.stderr(), /warning: the certificate .*old\.pem expired on \d{4}-\d\d-\d\d/)
  assert.equal((await askHttps(node.url, '/')).subject, 'old.test')
})

test('certificates of clients: required or requested, and what was verified is there for units', async (t) => {
  const certificates = certificateMaker(t)
  const server = certificates.make('server', ['edge.test'])
  const ca = certificates.make('ca', ['Test Authority'])
  const alice = pemOf(certificates.make('alice', ['alice'], { ca }))
  const mallory = pemOf(certificates.make('mallory', ['mallory']))
  const listen = (mode: 'request' | 'require') => ({
    address: '127.0.0.1:0',
    tls: { certificates: [server], clientAuth: { ca: ca.cert, mode } },
  })
  const node = await startNode(t, {
    config: { edge: { listen: [listen('require'), listen('request')] } },
    units: { hello },
  })
  const clientOf = async (url: string, options: ConnectionOptions) =>
    JSON.parse((await askHttps(url, '/unit', options)).text.split('\r\n\r\n')[1]!) as {
      client: { certificate?: Record<string, unknown> }
    }
  const [required, requested] = node.urls as [string, string]
  const { client } = await clientOf(required, alice)
  assert.equal(client.certificate?.['verified'], true)
  assert.match(String(client.certificate?.['subject']), /CN=alice/)
  assert.match(String(client.certificate?.['issuer']), /CN=Test Authority/)
  assert.match(String(client.certificate?.['fingerprint']), /^[0-9a-f]{64}$/)
  await assert.rejects(clientOf(required, {}))
  await assert.rejects(clientOf(required, mallory))
  assert.equal((await clientOf(requested, {})).client.certificate, undefined)
  const seen = (await clientOf(requested, mallory)).client.certificate
  assert.equal(seen?.['verified'], false)
  assert.match(String(seen?.['problem']), /SELF_SIGNED/)
  assert.equal((await clientOf(requested, alice)).client.certificate?.['verified'], true)
  await eventually(async () =>
    /orla_tls_handshake_failures_total\{reason="client-certificate"\}|reason="peer-did-not-return-a-certificate"/.test(
      (await node.api('GET', '/metrics')).text,
    ),
  )
})

test('a session is resumed on any worker', async (t) => {
  const certificates = certificateMaker(t)
  const node = await startNode(t, {
    config: {
      edge: {
        workers: 3,
        listen: { address: '127.0.0.1:0', tls: { certificates: [certificates.make('a', ['a.test'])] } },
      },
    },
    units: { hello },
  })
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const first = await askHttps(node.url, '/unit', { servername: 'a.test', maxVersion })
    assert.equal(first.isReused, false)
    const again = () =>
      askHttps(node.url, '/unit', { servername: 'a.test', maxVersion, session: first.session! })
    for (let i = 0; i < 12; i += 1) assert.equal((await again()).isReused, true)
  }
  await eventually(async () =>
    /orla_tls_handshakes_total\{[^}]*resumed="true"[^}]*\} 12/.test((await node.api('GET', '/metrics')).text),
  )
})

test('a session is resumed on any worker after its key was rotated once, and not after the second time', async (t) => {
  const tls = { certificates: [certificateMaker(t).make('a', ['a.test'])] }
  const node = await startNode(t, {
    config: { edge: { workers: 2, ticketsRotate: '4s', listen: { address: '127.0.0.1:0', tls } } },
  })
  const versions = ['TLSv1.2', 'TLSv1.3'] as const
  const meet = (maxVersion: (typeof versions)[number], session?: Buffer) =>
    askHttps(node.url, '/', { servername: 'a.test', maxVersion, ...(session && { session }) })
  /** The name of the key that seals tickets now. */
  const keyName = async () => (await meet('TLSv1.2')).ticket!.toString('hex', 0, 16)
  const rotated = (before: string) =>
    eventually(async () => {
      const name = await keyName()
      return name !== before && name
    })
  /** Whether they are resumed, enough of them to meet both workers. */
  const resume = async (sessions: readonly (Buffer | undefined)[]) => {
    const answers: boolean[] = []
    for (let i = 0; i < 8; i += 1) {
      for (const [at, version] of versions.entries())
        answers.push((await meet(version, sessions[at])).isReused)
    }
    return answers
  }
  // A machine that stands still for longer than a rotation takes has missed the moment: then with another session.
  const { sessions, second } = await eventually(async () => {
    const first = await keyName()
    const given = await Promise.all(versions.map(async (version) => (await meet(version)).session))
    const name = await rotated(first)
    return (await resume(given)).every(Boolean) && { sessions: given, second: name }
  })
  await rotated(second)
  await eventually(async () => !(await resume(sessions)).some(Boolean))
})

test('HTTP is sent to HTTPS, by listener or by site, and HTTPS says that it wants to be kept to', async (t) => {
  const certificates = certificateMaker(t)
  const origin = await startOrigin(t, (_request, response) =>
    response.setHeader('strict-transport-security', 'max-age=1').end('over'),
  )
  const node = await startNode(t, {
    config: {
      edge: {
        trustedProxies: ['127.0.0.1'],
        listen: [
          { address: '127.0.0.1:0', redirectHttps: true },
          '127.0.0.1:0',
          {
            address: '127.0.0.1:0',
            tls: { certificates: [certificates.make('a', ['a.test'])] },
            hsts: { maxAge: '1d' },
          },
        ],
      },
      sites: [
        {
          hosts: ['site.test'],
          origin: origin.url,
          redirectHttps: { port: 443, status: 301 },
          hsts: { maxAge: '365d', includeSubDomains: true, preload: true },
        },
        { origin: origin.url },
      ],
    },
  })
  const [all, plain, https] = node.urls as [string, string, string]
  const httpsPort = new URL(https).port
  const sent = await ask(`${all}/x/y?z=1`, { method: 'POST', headers: { host: 'any.test:8080' }, body: 'x' })
  assert.equal(sent.status, 308)
  assert.equal(sent.headers.location, `https://any.test:${httpsPort}/x/y?z=1`)
  const site = await ask(`${plain}/x`, { headers: { host: 'site.test' } })
  assert.equal(site.status, 301)
  assert.equal(site.headers.location, 'https://site.test/x')
  assert.equal((await ask(`${plain}/x`, { headers: { host: 'other.test' } })).text, 'over')
  // A trusted proxy that speaks HTTPS for us is not sent around in a circle.
  const proxied = await ask(`${plain}/x`, { headers: { host: 'site.test', 'x-forwarded-proto': 'https' } })
  assert.equal(proxied.text, 'over')

  const strict = /^strict-transport-security: (.*)\r$/gim
  const valuesOf = (text: string) => [...text.matchAll(strict)].map(([, value]) => value)
  assert.deepEqual(valuesOf((await askHttps(https, '/', { servername: 'site.test' })).text), [
    'max-age=31536000; includeSubDomains; preload',
  ])
  assert.deepEqual(valuesOf((await askHttps(https, '/', { servername: 'other.test' })).text), [
    'max-age=86400',
  ])
})

test('a thousand slow handshakes end in time, and others are served meanwhile', async (t) => {
  const certificates = certificateMaker(t)
  const node = await startNode(t, {
    config: {
      edge: {
        limits: { handshake: '8s' },
        listen: { address: '127.0.0.1:0', tls: { certificates: [certificates.make('a', ['a.test'])] } },
      },
    },
    units: { hello },
  })
  const port = Number(new URL(node.url).port)
  let closed = 0
  const slow = Array.from({ length: 1000 }, () => {
    const socket = connectPlain({ port, host: '127.0.0.1' })
    socket.on('error', () => {}).on('close', () => (closed += 1))
    // The beginning of a handshake that says it is 512 bytes long.
    socket.on('connect', () => socket.write(Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252])))
    return socket
  })
  t.after(() => slow.forEach((socket) => socket.destroy()))
  for (let i = 0; i < 20; i += 1) assert.match((await askHttps(node.url, '/unit')).text, /^HTTP\/1\.1 200 OK/)
  await eventually(() => closed === 1000, { what: 'all slow handshakes were ended' })
  const metrics = (await node.api('GET', '/metrics')).text
  assert.match(metrics, /orla_tls_handshake_failures_total\{reason="timeout"\} 1000/)
  assert.match(metrics, /orla_tls_handshaking 0/)
})

test('more handshakes than allowed are refused; those under way are not', async (t) => {
  const certificates = certificateMaker(t)
  const node = await startNode(t, {
    config: {
      edge: {
        limits: { handshakes: 10 },
        listen: { address: '127.0.0.1:0', tls: { certificates: [certificates.make('a', ['a.test'])] } },
      },
    },
    units: { hello },
  })
  const port = Number(new URL(node.url).port)
  const waiting = Array.from({ length: 10 }, () => connectPlain({ port, host: '127.0.0.1' }))
  t.after(() => waiting.forEach((socket) => socket.destroy()))
  await eventually(async () => /orla_tls_handshaking 10/.test((await node.api('GET', '/metrics')).text))
  await assert.rejects(askHttps(node.url, '/unit'))
  waiting.pop()!.destroy()
  await eventually(async () => (await askHttps(node.url, '/unit')).text.startsWith('HTTP/1.1 200'))
})

test('bodies go both ways over TLS whole, and a cut one is not ended in order', async (t) => {
  const certificates = certificateMaker(t)
  const big = Buffer.alloc(3_000_000, 'orla')
  const origin = await startOrigin(t, (request, response) => {
    if (request.url === '/cut') {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('part', () => response.destroy())
    } else request.pipe(response)
  })
  const node = await startNode(t, {
    config: {
      edge: {
        listen: { address: '127.0.0.1:0', tls: { certificates: [certificates.make('a', ['a.test'])] } },
      },
      sites: [{ origin: origin.url }],
    },
  })
  const echoed = await new Promise<Buffer>((resolve, reject) => {
    const outgoing = request(
      `${node.url}/echo`,
      { method: 'POST', rejectUnauthorized: false },
      (incoming) => {
        const pieces: Buffer[] = []
        incoming.on('data', (piece: Buffer) => pieces.push(piece))
        incoming.on('end', () => resolve(Buffer.concat(pieces)))
        incoming.on('error', reject)
      },
    )
    outgoing.on('error', reject)
    outgoing.end(big)
  })
  assert.ok(echoed.equals(big))
  await assert.rejects(
    new Promise((resolve, reject) => {
      request(`${node.url}/cut`, { rejectUnauthorized: false }, (incoming) => {
        incoming.on('end', resolve).on('error', reject).resume()
      })
        .on('error', reject)
        .end()
    }),
  )
})
