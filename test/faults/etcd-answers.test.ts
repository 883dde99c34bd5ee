/** What is no etcd answers in its place; and an etcd that wants to know who asks. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { EdgeError } from '../../src/base/errors.ts'
import type { EtcdStoreConfig } from '../../src/config/store-schema.ts'
import type { StoreEngine } from '../../src/contract/shared-log.ts'
import type { Effect } from '../../src/contract/store.ts'
import { chain } from '../../src/store/chain.ts'
import { openEtcdEngine } from '../../src/store/engines/etcd/etcd-engine.ts'
import { LogWriter } from '../../src/store/testing/log-writer.ts'
import { certificateMaker } from '../harness/certificates.ts'
import { etcdConfig, etcdIsMissing, startEtcd } from '../harness/etcd.ts'
import { eventually } from '../harness/eventually.ts'
import { answerWith, startRawOrigin } from '../harness/origin.ts'

const skip = etcdIsMissing
const set = (key: string, value: string): Effect => ({ operation: 'SET', key, value })

function connect(t: TestContext, urls: readonly string[], more: Partial<EtcdStoreConfig> = {}): StoreEngine {
  const engine = openEtcdEngine(etcdConfig(urls, more), { pollMs: 300 })
  t.after(() => engine.close())
  return engine
}

const answer = (status: string, body: string): string =>
  `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`

const GARBAGE: readonly (readonly [what: string, bytes: string, says: RegExp])[] = [
  ['rubbish', '\x00\xff rubbish\r\n\r\n', /does not answer as etcd does/],
  ['a page of a proxy', answer('502 Bad Gateway', '<html>no upstream</html>'), /502 "<html>no upstream/],
  ['a page with 200', answer('200 OK', '<html>hello</html>'), /200 "<html>hello/],
  ['JSON of another program', answer('200 OK', '{"ok":true}'), /does not answer as etcd does/],
  ['an answer without a revision', answer('200 OK', '{"header":{}}'), /results for|a revision "undefined"/],
  ['an answer without results', answer('200 OK', '{"header":{"revision":"1"}}'), /0 results for/],
  ['nothing', '', /no answer within/],
  ['half an answer', answer('200 OK', '{"header":{}}').slice(0, -4), /no answer within/],
]

test('what is no answer of etcd is told in time', { concurrency: true }, async (t) => {
  await Promise.all(GARBAGE.map(([what, ...rest]) => t.test(what, (t) => toldInTime(t, ...rest))))
})

async function toldInTime(t: TestContext, bytes: string, says: RegExp): Promise<void> {
  const origin = await startRawOrigin(t, answerWith(bytes))
  const engine = connect(t, [origin.url], { timeout: 2000 })
  const log = engine.log('units')
  const position = { log: 'ab'.repeat(16), id: 0, hash: '0'.repeat(64) }
  t.after(log.watch(() => assert.fail('nothing has changed')))
  const startMs = performance.now()
  const told = (error: EdgeError) => {
    assert.equal(error.code, 'store-unavailable')
    assert.match(error.message, says)
    return true
  }
  await Promise.all([
    assert.rejects(log.head(), told),
    assert.rejects(log.append(position, chain(position, [set('a', '1')], 0)), told),
    assert.rejects(log.snapshot(), told),
    assert.rejects(log.trim(1), told),
  ])
  const status = await engine.status()
  assert.deepEqual([status.isHealthy, status.members.length], [false, 1])
  assert.match(status.problem ?? '', says)
  // Two times of 2 s, and much for a machine that is busy.
  assert.ok(performance.now() - startMs < 30_000)
}

test('a server without the gateway is told from one that is down', async (t) => {
  const origin = await startRawOrigin(t, answerWith(answer('404 Not Found', 'Not Found\n')))
  await assert.rejects(connect(t, [origin.url]).log('units').head(), (error: EdgeError) => {
    assert.equal(error.code, 'store-refused')
    assert.match(error.hint, /etcd has to be 3\.4 or later/)
    return true
  })
})

test('where one address is no etcd, another is asked', { skip }, async (t) => {
  const etcd = await startEtcd(t)
  const origin = await startRawOrigin(t, answerWith(answer('200 OK', '<html>hello</html>')))
  const engine = connect(t, [origin.url, ...etcd.urls])
  assert.equal((await engine.log('units').head()).id, 0)
  const status = await engine.status()
  assert.equal(status.isHealthy, true)
  assert.deepEqual(
    status.members.map(({ name, isHealthy }) => [name, isHealthy]),
    [
      [new URL(origin.url).host, false],
      ['m0', true],
    ],
  )
})

test('a host that etcd does not know for its own is told', { skip }, async (t) => {
  const etcd = await startEtcd(t, { args: ['--host-whitelist', 'etcd.internal'] })
  const { port } = etcd.members[0]!
  await assert.rejects(
    connect(t, [`http://localhost:${port}`])
      .log('units')
      .head(),
    (error: EdgeError) => {
      assert.equal(error.code, 'store-refused')
      assert.match(error.hint, /--host-whitelist/)
      return true
    },
  )
})

test('users: wrong passwords and missing rights are told, and tokens are renewed', { skip }, async (t) => {
  const etcd = await startEtcd(t)
  const [member] = etcd.members
  await etcd.ctl('user', 'add', 'root:root')
  await etcd.ctl('user', 'grant-role', 'root', 'root')
  for (const name of ['edge', 'other']) {
    await etcd.ctl('user', 'add', `${name}:secret`)
    await etcd.ctl('role', 'add', name)
    await etcd.ctl('user', 'grant-role', name, name)
    const prefix = name === 'edge' ? 'orla/' : 'other/'
    await etcd.ctl('role', 'grant-permission', '--prefix', name, 'readwrite', prefix)
  }
  await etcd.ctl('auth', 'enable')

  const refused = async (engine: StoreEngine, message: RegExp, hint: RegExp) => {
    await assert.rejects(engine.log('units').head(), (error: EdgeError) => {
      assert.equal(error.code, 'store-refused')
      assert.match(error.message, message)
      assert.match(error.hint, hint)
      return true
    })
    assert.match((await engine.status()).problem ?? '', message)
  }
  const as = (username: string, password: string) => connect(t, etcd.urls, { username, password })
  await refused(connect(t, etcd.urls), /user name is empty/, /set `store.username`/)
  await refused(as('edge', 'wrong'), /authentication failed/, /check `store.username`/)
  await refused(as('other', 'secret'), /permission denied/, /readwrite/)

  const engine = as('edge', 'secret')
  const log = engine.log('units')
  const writer = await LogWriter.at(log)
  await writer.append([set('a', '1')])
  let calls = 0
  t.after(log.watch(() => (calls += 1)))
  await eventually(() => calls > 0)
  // Tokens of this kind are in the memory of a member: it has none of them after a restart.
  await member!.kill()
  await member!.start(false)
  calls = 0
  await eventually(() => writer.append([set('b', '2')]))
  await eventually(() => calls > 0)
  const status = await engine.status()
  assert.deepEqual([status.isHealthy, status.problem], [true, undefined])
})

test('a user in the configuration of an etcd that asks for none does no harm', { skip }, async (t) => {
  const etcd = await startEtcd(t)
  const engine = connect(t, etcd.urls, { username: 'edge', password: 'secret' })
  assert.equal((await engine.log('units').head()).id, 0)
})

test(
  'TLS: who is not trusted is told, and a certificate is shown where etcd asks for one',
  { skip },
  async (t) => {
    const paths = certificateMaker(t).make('etcd', ['127.0.0.1', 'localhost'])
    const etcd = await startEtcd(t, { tls: { ...paths, clientCa: paths.cert } })
    const head = (tls: NonNullable<EtcdStoreConfig['tls']>) =>
      connect(t, etcd.urls, { tls }).log('units').head()
    const told = (error: EdgeError) => {
      assert.equal(error.code, 'store-refused')
      assert.match(error.message, /TLS: /)
      assert.match(error.hint, /check `store.tls`/)
      return true
    }
    await assert.rejects(head({}), told)
    await assert.rejects(head({ ca: paths.cert }), told)
    assert.equal((await head({ ca: paths.cert, ...paths })).id, 0)
    // With users, etcd's gateway wants to hear from them and not from a certificate.
    await etcd.ctl('user', 'add', 'root:root')
    await etcd.ctl('user', 'grant-role', 'root', 'root')
    await etcd.ctl('auth', 'enable')
    await assert.rejects(head({ ca: paths.cert, ...paths }), (error: EdgeError) => {
      assert.equal(error.code, 'store-refused')
      assert.match(error.hint, /without a CN/)
      return true
    })
    assert.throws(() => openEtcdEngine(etcdConfig(etcd.urls, { tls: { ca: '/nowhere.pem' } })), {
      code: 'file-unreadable',
    })
  },
)
