/** DNS over TLS and HTTPS by `orla dns`, asked with kdig and with requests of HTTP. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { request } from 'node:https'
import { test, type TestContext } from 'node:test'
import { connect, type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { OPTION } from '../../src/wire/dns/codes.ts'
import { certificateMaker, type CertificatePaths } from '../harness/certificates.ts'
import { decoded, framed, option, packet } from '../harness/dns-packets.ts'
import { eventually } from '../harness/eventually.ts'
import { freePort } from '../harness/ports.ts'
import { startDns } from '../harness/orla-dns.ts'

const run = promisify(execFile)

async function start(t: TestContext, tlsLine = '') {
  const maker = certificateMaker(t)
  const paths = maker.make('dns.example.org', ['dns.example.org', '127.0.0.1'])
  const tls = `tls ${paths.cert} ${paths.key}${tlsLine}`
  const block = `{\n bind 127.0.0.1\n ${tls}\n whoami\n template IN A {\n answer "{{ .Name }} 60 IN A 192.0.2.1"\n}\n}`
  const dns = await startDns(t, { Corefile: `tls://.:0 ${block}\nhttps://.:0 ${block}\n` })
  const [dot, doh] = dns.addresses.map((address) => Number(/\d+$/.exec(address)![0]))
  return { dns, paths, maker, dot: dot!, doh: doh! }
}

const ca = ({ cert }: CertificatePaths) => readFileSync(cert)

test('kdig asks over TLS and HTTPS, and verifies the certificate', async (t) => {
  const { paths, dot, doh } = await start(t)
  for (const transport of [`+tls -p ${dot}`, `+https -p ${doh}`, `+https-get -p ${doh}`]) {
    const args = `@127.0.0.1 ${transport} +tls-ca=${paths.cert} +tls-host=dns.example.org www.example.org A`
    const { stdout } = await run('kdig', args.split(' '))
    assert.match(stdout, /status: NOERROR/)
    assert.match(stdout, /www\.example\.org\.\s+60\s+IN\s+A\s+192\.0\.2\.1/)
  }
})

test('answers are padded where the client pads', async (t) => {
  const { paths, dot } = await start(t)
  const socket = connect({
    port: dot,
    host: '127.0.0.1',
    ca: ca(paths),
    servername: 'dns.example.org',
    ALPNProtocols: ['dot'],
  })
  await once(socket, 'secureConnect')
  assert.equal(socket.alpnProtocol, 'dot')
  const answer = await askOn(socket, packet({ edns: { options: option(OPTION.PADDING, Buffer.alloc(10)) } }))
  assert.equal(answer.length % 468, 0)
  assert.equal(decoded(answer).edns!.options.at(-1)!.code, OPTION.PADDING)
  assert.ok((await askOn(socket, packet())).length < 468)
  socket.destroy()
})

async function askOn(socket: TLSSocket, query: Buffer): Promise<Buffer> {
  socket.write(framed(query))
  let received = Buffer.alloc(0)
  while (received.length < 2 || received.length < 2 + received.readUInt16BE()) {
    const [piece] = (await once(socket, 'data')) as [Buffer]
    received = Buffer.concat([received, piece])
  }
  return received.subarray(2)
}

test('HTTP/1.1 and HTTP/2, GET and POST, and what is no query', async (t) => {
  const { paths, doh } = await start(t)
  const query = packet({ id: 0 })
  const encoded = query.toString('base64url')
  const ask = (method: string, path: string, body?: Buffer, type = 'application/dns-message') =>
    new Promise<{ status: number; headers: Record<string, unknown>; body: Buffer }>((resolve, reject) => {
      const options = {
        port: doh,
        host: '127.0.0.1',
        ca: ca(paths),
        servername: 'dns.example.org',
        method,
        path,
        agent: false,
        headers: body ? { 'content-type': type } : {},
      }
      const sent = request(options, (response) => {
        const pieces: Buffer[] = []
        response
          .on('data', (piece: Buffer) => pieces.push(piece))
          .on('end', () =>
            resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(pieces) }),
          )
      })
      sent.on('error', reject).end(body)
    })
  for (const answer of [
    await ask('GET', `/dns-query?dns=${encoded}`),
    await ask('POST', '/dns-query', query),
  ]) {
    assert.equal(answer.status, 200)
    assert.equal(answer.headers['content-type'], 'application/dns-message')
    assert.equal(answer.headers['cache-control'], 'max-age=60')
    assert.equal(decoded(answer.body).answer.length, 1)
  }
  assert.equal((await ask('HEAD', `/dns-query?dns=${encoded}`)).body.length, 0)
  const wrong: readonly (readonly [
    status: number,
    method: string,
    path: string,
    body?: Buffer,
    type?: string,
  ])[] = [
    [404, 'GET', '/'],
    [400, 'GET', '/dns-query'],
    [400, 'GET', '/dns-query?dns=%%%'],
    [400, 'GET', '/dns-query?dns=AAAA'],
    [405, 'PUT', '/dns-query', query],
    [413, 'POST', '/dns-query', Buffer.alloc(65_536)],
    [415, 'POST', '/dns-query', query, 'text/plain'],
  ]
  for (const [status, method, path, body, type] of wrong)
    assert.equal((await ask(method, path, body, type)).status, status, `${method} ${path}`)
  // A message that is malformed is answered as the DNS has it (RFC 8484 §4.2.1).
  const malformed = await ask('POST', '/dns-query', query.subarray(0, 20))
  assert.deepEqual([malformed.status, decoded(malformed.body).rcode], [200, 1])

  const session = connectHttp2(`https://127.0.0.1:${doh}`, { ca: ca(paths), servername: 'dns.example.org' })
  t.after(() => session.destroy())
  const answers = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const stream = session.request({ ':path': `/dns-query?dns=${encoded}` })
      const pieces: Buffer[] = []
      for await (const piece of stream as AsyncIterable<Buffer>) pieces.push(piece)
      return decoded(Buffer.concat(pieces)).answer.length
    }),
  )
  assert.deepEqual(
    answers,
    Array.from({ length: 50 }, () => 1),
  )
})

test('a certificate that is renewed is shown to the next client', async (t) => {
  const { paths, maker, dot } = await start(t)
  const fingerprint = async () => {
    const socket = connect({ port: dot, host: '127.0.0.1', rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const { fingerprint256 } = socket.getPeerCertificate()
    socket.destroy()
    return fingerprint256
  }
  const former = await fingerprint()
  const renewed = maker.make('renewed', ['dns.example.org'])
  writeFileSync(paths.key, readFileSync(renewed.key))
  writeFileSync(paths.cert, readFileSync(renewed.cert))
  await eventually(async () => (await fingerprint()) !== former)
})

test('a client without the certificate that is asked for is not answered', async (t) => {
  const maker = certificateMaker(t)
  const authority = maker.make('authority', ['authority'])
  const { paths, dot } = await start(t, ` ${authority.cert} {\n client_auth require_and_verify\n}`)
  const client = maker.make('client', ['client'], { ca: authority })
  const ask = async (more: object) => {
    const socket = connect({
      port: dot,
      host: '127.0.0.1',
      ca: ca(paths),
      servername: 'dns.example.org',
      ...more,
    })
    try {
      await once(socket, 'secureConnect')
      return await Promise.race([askOn(socket, packet()), once(socket, 'close').then(() => undefined)])
    } catch {
      return undefined
    } finally {
      socket.destroy()
    }
  }
  assert.equal(await ask({}), undefined)
  const stranger = maker.make('stranger', ['stranger'])
  assert.equal(await ask({ cert: readFileSync(stranger.cert), key: readFileSync(stranger.key) }), undefined)
  const answer = await ask({ cert: readFileSync(client.cert), key: readFileSync(client.key) })
  assert.equal(decoded(answer).answer.length, 1)
})

test('a block that serves is given a certificate and TLS, and its other sockets stay', async (t) => {
  const { cert, key } = certificateMaker(t).make('dns.example.org', ['dns.example.org', '127.0.0.1'])
  const port = await freePort()
  const block = (keys: string, line: string) => `${keys} {\n bind 127.0.0.1\n${line} whoami\n}\n`
  const dns = await startDns(t, { Corefile: block(`.:${port}`, '') })
  dns.write('Corefile', block(`.:${port} tls://.:${await freePort()}`, ` tls ${cert} ${key}\n`))
  dns.kill('SIGHUP')
  await eventually(() => dns.stderr().includes('Reloading complete'), { what: () => dns.stderr() })
  assert.equal((await dns.ask('example.org')).rcode, 0)
})

test('another certificate in the Corefile is shown after a reload, on the same socket; one that cannot be read changes nothing', async (t) => {
  const maker = certificateMaker(t)
  const [first, second] = ['first', 'second'].map((name) => maker.make(name, [`${name}.example.org`]))
  const port = await freePort()
  const corefile = ({ cert, key }: CertificatePaths, more = '') =>
    `tls://.:${port} {\n bind 127.0.0.1\n tls ${cert} ${key}${more}\n whoami\n}\n`
  const dns = await startDns(t, { Corefile: corefile(first!) })
  const shown = async () => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const { subject } = socket.getPeerCertificate()
    socket.destroy()
    return subject.CN
  }
  assert.equal(await shown(), 'first.example.org')
  dns.write('Corefile', corefile({ cert: '/nowhere.pem', key: second!.key }))
  dns.kill('SIGHUP')
  await eventually(() => dns.stderr().includes('/nowhere.pem'))
  assert.equal(await shown(), 'first.example.org')
  dns.write('Corefile', corefile(second!))
  dns.kill('SIGHUP')
  await eventually(async () => (await shown()) === 'second.example.org')
  dns.write('Corefile', corefile(second!, ' {\n client_auth require\n}'))
  dns.kill('SIGHUP')
  await eventually(async () => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
    socket.on('error', () => undefined)
    const isClosed = once(socket, 'close').then(() => true)
    await once(socket, 'secureConnect')
    socket.write(framed(packet()))
    return await Promise.race([isClosed, once(socket, 'data').then(() => false)])
  })
})
