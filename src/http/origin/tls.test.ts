import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { ask, originOf } from './testing/ask.ts'
import { CERTIFICATE, CERTIFICATE_KEY } from './testing/certificate.ts'
import { listen, rawServer } from './testing/raw-server.ts'

const directory = mkdtempSync(join(tmpdir(), 'orla-origin-tls-'))
const ca = join(directory, 'ca.pem')
const seen: { serverName: string | false | null; resumed: boolean }[] = []
const server = createServer({ cert: CERTIFICATE, key: CERTIFICATE_KEY }, (request, response) => {
  const socket = request.socket as TLSSocket & { servername: string | false | null }
  seen.push({ serverName: socket.servername, resumed: socket.isSessionReused() })
  if (request.url === '/close') response.shouldKeepAlive = false
  if (request.url === '/large') response.end(Buffer.alloc(5_000_000, 'x'))
  else request.pipe(response)
})
let url = ''

before(async () => {
  writeFileSync(ca, CERTIFICATE)
  url = `https://127.0.0.1:${await listen(server)}`
})
after(() => {
  server.close()
  rmSync(directory, { recursive: true })
})

test('an origin whose certificate is trusted and fits the name is spoken to, and its connection kept', async () => {
  const origin = originOf([url], { tls: { ca, serverName: 'origin.example.org' } })
  for (let i = 0; i < 2; i++) {
    const answer = await ask(origin, { method: 'POST', body: 4, pieces: ['body'] }).over
    assert.equal(answer.error, undefined)
    assert.equal(answer.body, 'body')
    assert.equal(answer.call.connectMs > 0, i === 0)
  }
  assert.equal(seen.at(-1)?.serverName, 'origin.example.org')
  const large = await ask(origin, { target: '/large' }).over
  assert.equal(large.body, 'x'.repeat(5_000_000))
  origin.close()
})

test('a new connection resumes the session of the one before', async () => {
  const origin = originOf([url], { tls: { ca, serverName: 'origin.example.org' } })
  await ask(origin, { target: '/close' }).over
  await ask(origin, { target: '/close' }).over
  assert.equal(seen.at(-1)?.resumed, true)
  origin.close()
})

test('a certificate that nobody trusts, or for another name, is refused', async () => {
  const unknown = await ask(originOf([url], { tls: { serverName: 'origin.example.org' } })).over
  assert.equal(unknown.error?.code, 'origin-tls')
  assert.match(unknown.error.message, /self-signed certificate/)
  const other = await ask(originOf([url], { tls: { ca, serverName: 'other.example.org' } })).over
  assert.equal(other.error?.code, 'origin-tls')
  assert.match(other.error.message, /other\.example\.org/)
  const address = await ask(originOf([url], { tls: { ca } })).over
  assert.equal(address.error?.code, 'origin-tls')
})

test('without verification any certificate will do', async () => {
  const origin = originOf([url], { tls: { verify: false } })
  assert.equal((await ask(origin).over).error, undefined)
  origin.close()
})

test('an origin that does not speak TLS is told apart from one that is slow', async () => {
  const garbage = await rawServer(({ socket }) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
  const answer = await ask(originOf([garbage.url.replace('http', 'https')])).over
  assert.equal(answer.error?.code, 'origin-tls')
  // In words, and on one line: OpenSSL's own errors name its source files, and end with a line break.
  assert.match(answer.error.message, /TLS handshake failed: [a-z ]+$/)
  garbage.close()

  const closing = await rawServer(({ socket }) => socket.destroy())
  assert.equal((await ask(originOf([closing.url.replace('http', 'https')])).over).error?.code, 'origin-tls')
  closing.close()

  const silent = await rawServer(() => {})
  const slow = await ask(originOf([silent.url.replace('http', 'https')], { times: { connect: 50 } })).over
  assert.equal(slow.error?.code, 'origin-timeout-connect')
  assert.match(slow.error.message, /did not finish the TLS handshake within 50 ms/)
  silent.close()
})

test('a file of authorities that cannot be used is an error of the configuration', () => {
  const empty = join(directory, 'empty.pem')
  writeFileSync(empty, 'nothing')
  for (const [file, message] of [
    [
      join(directory, 'missing.pem'),
      /^origin\.tls\.ca: .*missing\.pem cannot be read: there is no such file$/,
    ],
    [empty, /^origin\.tls\.ca: .*empty\.pem holds no certificate in PEM$/],
  ] as const) {
    assert.throws(() => originOf([url], { tls: { ca: file } }), { code: 'config-invalid', message })
  }
})
