/** Certificates that an operator sets in the log: by the command and the API, live on every node, under a key that changes. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect } from 'node:tls'
import type { CertificateChange } from '../../src/control/certificate-shapes.ts'
import { certificateMaker, certificatesOf, pemOf } from '../harness/certificates.ts'
import { edgesOf, startEdge } from '../harness/edges.ts'
import { eventually } from '../harness/eventually.ts'
import { askHttps } from '../harness/https-client.ts'
import { PATIENT, startNode, type TestNode, WITH_TIME } from '../harness/node.ts'

const EDGE = { workers: 2, limits: PATIENT, listen: { address: '127.0.0.1:0', tls: {} } }

const subjectOf = async (node: TestNode, servername: string) =>
  (await askHttps(node.url, '/', { servername })).subject

/** What each of some connections shows: one of them, if all workers agree. */
async function shownBy(node: TestNode, servername: string): Promise<readonly string[]> {
  const all = new Set<string>()
  for (let i = 0; i < 6; i += 1) all.add(await subjectOf(node, servername))
  return [...all]
}

test('a certificate is set, replaced and removed with the command, live on all workers of all nodes when it is done', async (t) => {
  const make = certificateMaker(t)
  const one = make.make('one', ['one.test'])
  const [two, next] = [
    make.make('two', ['two.test', '*.two.test']),
    make.make('next', ['next.test', 'two.test']),
  ]
  const control = await startNode(t, { config: { edge: EDGE } })
  assert.match(control.stderr(), /127\.0\.0\.1:0 has no certificate yet.*`orla certificates set` sets one/)
  const edge = await startEdge(t, control, 'a', { config: { edge: EDGE } })
  const nodes = [control, edge]
  const set = async (name: string, { cert, key }: { cert: string; key: string }, ...more: string[]) => {
    const { code, stdout, stderr } = await control.orla(
      'certificates',
      'set',
      name,
      '--cert',
      cert,
      '--key',
      key,
      ...more,
    )
    assert.equal(code, 0, stderr)
    return stdout
  }
  const none = await control.orla('certificates')
  assert.match(none.stdout, /^no certificates in the log/)
  assert.match(
    await set('one', one),
    /^set one \(one\.test\) until 20\d\d-\d\d-\d\d: live on 4\/4 workers in \d+ ms$/m,
  )
  const kept = connect({ port: Number(new URL(edge.url).port), host: '127.0.0.1', rejectUnauthorized: false })
  await once(kept, 'secureConnect')

  const change = JSON.parse(await set('two', two, '--json')) as CertificateChange
  assert.deepEqual(change.live, { workers: 4, of: 4 })
  for (const node of nodes) {
    assert.deepEqual(await shownBy(node, 'a.two.test'), ['two.test'])
    // Who names nobody that is known gets the first.
    assert.deepEqual(await shownBy(node, 'other.test'), ['one.test'])
  }
  await set('two', next)
  for (const node of nodes) {
    assert.deepEqual(await shownBy(node, 'two.test'), ['next.test'])
    assert.deepEqual(await shownBy(node, 'a.two.test'), ['one.test'])
  }
  const listed = await edge.orla('certificates')
  assert.match(listed.stdout, /^two +operator +valid +20\S+ +next\.test, two\.test$/m)
  for (const node of nodes) assert.doesNotMatch((await node.api('GET', '/v1/certificates')).text, /PRIVATE/)

  const removed = await control.orla('certificates', 'remove', 'two')
  assert.match(removed.stdout, /^removed two: live on 4\/4 workers/)
  for (const node of nodes) assert.deepEqual(await shownBy(node, 'two.test'), ['one.test'])

  // Who was connected before goes on.
  let text = ''
  kept.setEncoding('latin1').on('data', (piece: string) => (text += piece))
  kept.write('GET / HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\n\r\n')
  await once(kept, 'end')
  assert.match(text, /^HTTP\/1\.1 404 /)

  const refused = await edge.api('PUT', '/v1/certificates/two', { ...pemOf(two), ...WITH_TIME })
  assert.equal(refused.status, 409)
  assert.match(refused.text, /not-control-plane/)
})

test('what cannot be used is refused with the reason, without a byte of the key, and changes nothing', async (t) => {
  const make = certificateMaker(t)
  const [one, other] = [make.make('one', ['one.test']), make.make('other', ['one.test'])]
  const past = make.make('past', ['past.test'], { days: 0 })
  const node = await startNode(t, { config: { edge: EDGE } })
  const good = pemOf(one)
  const cases: [body: object, status: number, expected: RegExp][] = [
    [{ cert: good.cert }, 400, /`key` is missing/],
    [{ ...good, key: pemOf(other).key }, 422, /`key` is not the key of the certificate in `cert`/],
    [{ ...good, key: good.key.slice(0, 90) }, 422, /`key` holds no private key in PEM that can be read/],
    [{ ...good, cert: 'nothing' }, 422, /`cert` holds no certificate in PEM/],
    [pemOf(past), 422, /the certificate in `cert` expired on 20\d\d/],
  ]
  for (const [body, status, expected] of cases) {
    const answer = await node.api('PUT', '/v1/certificates/one', body)
    assert.equal(answer.status, status, answer.text)
    assert.match(answer.text, expected)
    assert.doesNotMatch(answer.text, /PRIVATE|[A-Za-z0-9+/]{40}/)
  }
  for (const name of ['A', 'a b', '.a', 'a'.repeat(254)]) {
    const answer = await node.api('PUT', `/v1/certificates/${encodeURIComponent(name)}`, good)
    assert.equal(answer.status, 400, answer.text)
    assert.match(answer.text, /cannot be the name of a certificate/)
  }
  assert.deepEqual(await certificatesOf(node), [])
  assert.equal((await node.api('GET', '/v1/certificates/one')).status, 404)
  const gone = await node.orla('certificates', 'remove', 'one')
  assert.equal(gone.code, 1)
  assert.match(gone.stderr, /the log has no certificate one/)
  const usage = await node.orla('certificates', 'set', 'one', '--cert', one.cert)
  assert.equal(usage.code, 64)
  assert.match(usage.stderr, /set needs --key FILE/)

  const argv = ['certificates', 'set', 'past', '--force', '--cert', past.cert, '--key', past.key]
  const forced = await node.orla(...argv)
  assert.equal(forced.code, 0, forced.stderr)
  assert.equal((await certificatesOf(node))[0]!.state, 'expired')
  await eventually(() => /the certificate past expired on/.test(node.stderr()))
  assert.equal(await subjectOf(node, 'past.test'), 'past.test')
})

test('what does not reach an edge in time is told, and withdrawn where that is asked for', async (t) => {
  const make = certificateMaker(t)
  const [one, two] = [make.make('one', ['one.test']), make.make('two', ['one.test'])]
  const control = await startNode(t, { config: { edge: EDGE } })
  const edge = await startEdge(t, control, 'a', { config: { edge: EDGE } })
  const before = await control.api('PUT', '/v1/certificates/one', { ...pemOf(one), ...WITH_TIME })
  assert.equal(before.status, 200, before.text)
  edge.kill('SIGKILL')
  await edge.ended
  const set = (more: object) =>
    control.api('PUT', '/v1/certificates/one', { ...pemOf(two), timeoutMs: 300, ...more })
  const withdrawn = await set({ onTimeout: 'withdraw' })
  assert.equal(withdrawn.status, 504, withdrawn.text)
  assert.match(withdrawn.text, /not live on every edge after 300 ms; it was withdrawn/)
  assert.match(withdrawn.text, /edge a/)
  await eventually(async () => (await subjectOf(control, 'one.test')) === 'one.test')
  const [stored] = await certificatesOf(control)
  assert.equal(stored!.fingerprint, (JSON.parse(before.text) as CertificateChange).certificate.fingerprint)
  const kept = await set({})
  assert.match(kept.text, /it is in the log, and goes on/)
  assert.notEqual((await certificatesOf(control))[0]!.fingerprint, stored!.fingerprint)
  assert.equal((await set({ wait: 'stored' })).status, 200)
})

test('the pair of a file wins over one of the log for the same name, and comes first', async (t) => {
  const make = certificateMaker(t)
  const file = make.make('file', ['file.test', 'both.test'])
  const live = make.make('live', ['live.test', 'both.test'])
  const node = await startNode(t, {
    config: { edge: { ...EDGE, listen: { address: '127.0.0.1:0', tls: { certificates: [file] } } } },
  })
  const { status, text } = await node.api('PUT', '/v1/certificates/live', { ...pemOf(live), ...WITH_TIME })
  assert.equal(status, 200, text)
  for (const [name, shown] of [
    ['both.test', 'file.test'],
    ['live.test', 'live.test'],
    ['other.test', 'file.test'],
  ] as const)
    assert.deepEqual(await shownBy(node, name), [shown], name)
  assert.match(
    (await node.api('GET', '/metrics')).text,
    /orla_tls_certificate_expiry_timestamp_seconds\{name="live\.test"\}/,
  )
})

test('keys of certificates are sealed anew with the key of secrets, on the control plane and its edges', async (t) => {
  const make = certificateMaker(t)
  const pair = make.make('one', ['one.test'])
  const control = await startNode(t, { config: { edge: EDGE } })
  const edge = await startEdge(t, control, 'a', { config: { edge: EDGE } })
  await control.api('PUT', '/v1/certificates/one', { ...pemOf(pair), ...WITH_TIME })
  const { stdout, code, stderr } = await control.orla('secrets', 'rotate')
  assert.equal(code, 0, stderr)
  assert.match(stdout, /^sealed 0 secrets of 0 versions and 1 keys of certificates anew/)
  const keyOf = (node: TestNode) => readFileSync(join(node.folder, 'data', 'orla.key'), 'utf8')
  await eventually(async () => keyOf(edge) === keyOf(control) && (await edgesOf(control))[1]!.lag === 0)
  await control.stop()
  await edge.stop()
  const config = { node: { name: 'a' }, edge: EDGE } as const
  const store = { kind: 'replica', control: control.control, token: 'none' } as const
  const again = await startNode(t, { folder: edge.folder, config: { ...config, store } })
  assert.equal(await subjectOf(again, 'one.test'), 'one.test')
  assert.doesNotMatch(again.stderr(), /cannot be used/)
  await again.stop()
})

test('an operator sets a certificate where a key was lost, and nobody is kept from starting', async (t) => {
  const make = certificateMaker(t)
  const pair = make.make('one', ['one.test'])
  const node = await startNode(t, { config: { edge: EDGE } })
  await node.api('PUT', '/v1/certificates/one', { ...pemOf(pair), ...WITH_TIME })
  await node.stop()
  const env = { ORLA_SECRET_KEY: 'ab'.repeat(32) }
  const again = await startNode(t, { folder: node.folder, config: { edge: EDGE }, env })
  assert.match(again.stderr(), /certificate\/one of the store cannot be used: .*does not open with this key/)
  assert.equal((await certificatesOf(again))[0]!.state, 'unusable')
  await assert.rejects(subjectOf(again, 'one.test'))
  const { status, text } = await again.api('PUT', '/v1/certificates/one', { ...pemOf(pair), ...WITH_TIME })
  assert.equal(status, 200, text)
  assert.equal(await subjectOf(again, 'one.test'), 'one.test')
  await again.stop()
})
