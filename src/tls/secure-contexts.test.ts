import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { connect, createServer } from 'node:tls'
import { checkCertificate } from './certificate.ts'
import { NameTable } from './name-table.ts'
import { SecureContexts } from './secure-contexts.ts'
import { makePair } from './testing/material.ts'
import { TicketKeys } from './ticket-keys.ts'

const FILES = { cert: 'a.pem', key: 'a.key' }
const SETTINGS = { minVersion: '1.2', ciphers: undefined, clientAuth: undefined, http2: true } as const

test('a ticket of the key before still resumes, and is renewed; an older one does not', async (t) => {
  const { cert, key } = makePair(['a.test'])
  const { material } = checkCertificate(cert, key, FILES)
  const contexts = new SecureContexts('test')
  const keys = new TicketKeys(1000, 0)
  const use = () => contexts.update({ ...SETTINGS, certificates: [material], clientCa: undefined }, keys.keys)
  use()
  const server = createServer({ SNICallback: (name, done) => done(null, contexts.find(name)) }, (socket) =>
    socket.end(),
  )
  contexts.useIn(server)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const ask = (session?: Buffer) =>
    new Promise<{ isReused: boolean; session: Buffer }>((resolve, reject) => {
      const { port } = server.address() as AddressInfo
      let given: Buffer | undefined
      let isReused = false
      const socket = connect({
        port,
        host: '127.0.0.1',
        servername: 'a.test',
        rejectUnauthorized: false,
        ...(session && { session }),
      })
      socket.on('session', (next) => (given = next)).resume()
      socket.on('error', reject)
      socket.on('secureConnect', () => (isReused = socket.isSessionReused()))
      socket.on('close', () => resolve({ isReused, session: given! }))
    })
  const { session } = await ask()
  assert.equal((await ask(session)).isReused, true)
  assert.equal(keys.rotate(999), false)
  assert.equal(keys.rotate(1000), true)
  use()
  const renewed = await ask(session)
  assert.equal(renewed.isReused, true)
  assert.equal(keys.rotate(2000), true)
  assert.equal(keys.keys.length, 2)
  use()
  assert.equal((await ask(session)).isReused, false)
  assert.equal((await ask(renewed.session)).isReused, true)
})

test('who names nobody gets the first certificate, also from a Node without the field that holds its context', async (t) => {
  for (const isKnown of [true, false]) {
    const { cert, key } = makePair(['first.test'])
    const { material } = checkCertificate(cert, key, FILES)
    const contexts = new SecureContexts('test')
    contexts.update(
      { ...SETTINGS, certificates: [material], clientCa: undefined },
      new TicketKeys(1000, 0).keys,
    )
    const server = createServer((socket) => socket.end())
    // Where this fails, Node has changed inside: `useIn` still works, by its public way.
    assert.equal('_sharedCreds' in server, true)
    if (!isKnown) Reflect.deleteProperty(server, '_sharedCreds')
    contexts.useIn(server)
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    t.after(() => server.close())
    const { port } = server.address() as AddressInfo
    const names = await new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () =>
        resolve(socket.getPeerCertificate().subjectaltname),
      )
      socket.on('error', reject).resume()
    })
    assert.equal(names, 'DNS:first.test', isKnown ? 'by the field' : 'by the public way')
  }
})

test('a name belongs to its own certificate, then to the wildcard of one label', () => {
  const table = new NameTable<number>()
  table.add('a.test', 1)
  table.add('*.a.test', 2)
  table.add('a.test', 3)
  const cases: [name: string, found: number | undefined][] = [
    ['a.test', 1],
    ['A.TEST.', 1],
    ['x.a.test', 2],
    ['x.y.a.test', undefined],
    ['.a.test', undefined],
    ['test', undefined],
    ['', undefined],
  ]
  for (const [name, found] of cases) assert.equal(table.find(name), found, name)
})

test('names are read from subjectAltName', () => {
  const { cert, key } = makePair(['b.test', '*.B.test'])
  assert.deepEqual(checkCertificate(cert, key, FILES).material.names, ['b.test', '*.b.test'])
})

test('what is wrong with a pair is said without a byte of the key', () => {
  const one = makePair(['a.test'])
  const two = makePair(['b.test'])
  const cases: [cert: string, key: string, expected: RegExp][] = [
    [one.cert, two.key, /^a\.key is not the key of the certificate in a\.pem$/],
    [two.cert + one.cert, one.key, /a\.pem must begin with the certificate of a\.key/],
    ['', one.key, /a\.pem holds no certificate in PEM/],
    [one.cert.replace(/[A-Za-z0-9]{20}/, 'AAAA'), one.key, /a\.pem holds a certificate that cannot be read/],
    [one.cert, one.key.slice(0, 60), /a\.key holds no private key/],
    [one.cert, `-----BEGIN ENCRYPTED PRIVATE KEY-----\n`, /passphrase/],
  ]
  for (const [cert, key, expected] of cases) {
    assert.throws(
      () => checkCertificate(cert, key, FILES),
      (error: Error) => {
        assert.match(error.message, expected)
        assert.doesNotMatch(error.message, /PRIVATE|[A-Za-z0-9+/]{30}/)
        return true
      },
    )
  }
})
