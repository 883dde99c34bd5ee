/** One server of Redis that dies, stands still, changes places, or is none: what was acknowledged is there, and nobody waits for ever. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { EdgeError } from '../../src/base/errors.ts'
import type { ErrorCode } from '../../src/base/error-codes.ts'
import type { Effect } from '../../src/contract/store.ts'
import { chain, GENESIS } from '../../src/store/chain.ts'
import { LogWriter } from '../../src/store/testing/log-writer.ts'
import { certificateMaker } from '../harness/certificates.ts'
import { eventually } from '../harness/eventually.ts'
import { freePort } from '../harness/ports.ts'
import { HEAD, openLog, openRedis } from '../harness/redis-log.ts'
import { redisIsMissing, startRedis, startReplica } from '../harness/redis.ts'
import {
  assertKept,
  everything,
  progress,
  underWrites,
  untilAnswered,
} from '../harness/relentless-writers.ts'

const set = (key: string, value = 'x'): Effect => ({ operation: 'SET', key, value })

async function refuses(work: Promise<unknown>, code: ErrorCode, ...words: string[]): Promise<EdgeError> {
  let refusal: EdgeError | undefined
  await assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof EdgeError, String(error))
    assert.equal(error.code, code, error.message)
    for (const word of words) assert.ok(error.message.includes(word), error.message)
    refusal = error
    return true
  })
  return refusal!
}

describe('one server of Redis', { skip: redisIsMissing }, () => {
  test('killed in rounds under writes, with an append-only file, it loses nothing that it acknowledged', async (t) => {
    const server = await startRedis(t, { appendOnly: true })
    const both = await Promise.all([0, 1].map(() => openLog(t, { url: server.url, timeout: '1s' })))
    const writers = await underWrites(both, async (writing) => {
      for (let round = 0; round < 5; round++) {
        await progress(writing, 10 + round * 17)
        await server.kill()
        await server.start()
      }
      await progress(writing, 10)
    })
    await assertKept(both[0]!, writers)
  })

  test('one that stands still is waited for as long as was said, and what was sent meanwhile counts once', async (t) => {
    const server = await startRedis(t)
    const log = await openLog(t, { url: server.url, timeout: '400ms' })
    const start = await log.head()
    const entries = chain(start, [set('a')], 1)
    server.signal('SIGSTOP')
    const begun = performance.now()
    for (const ask of [
      () => log.append(start, entries),
      () => log.read(start, 5),
      () => log.head(),
      () => log.snapshot(),
    ]) {
      const error = await refuses(ask(), 'store-unavailable', server.address)
      assert.match(error.message, /no answer within/)
    }
    assert.ok(performance.now() - begun >= 1600 * 0.5)
    server.signal('SIGCONT')
    assert.equal(await untilAnswered(() => log.append(start, entries)), 'appended')
    assert.deepEqual(await everything(log), entries)
  })

  test('where a replica is made the master, the log goes on there, also while the old one lives', async (t) => {
    const first = await startRedis(t)
    const second = await startReplica(t, first)
    const urls = [first.url, second.url]
    const log = await openLog(t, { url: urls, timeout: '10s' })
    const writer = await LogWriter.at(log)
    await writer.append([set('a')])
    await eventually(async () => (await second.cli('HGET', HEAD, 'id')) === '1')
    await second.cli('REPLICAOF', 'NO', 'ONE')
    await first.cli('REPLICAOF', '127.0.0.1', String(second.port))
    await eventually(async () => (await first.info('master_link_status')) === 'up')
    await writer.append([set('b')])
    assert.equal(await second.cli('HGET', HEAD, 'id'), '2')
    await eventually(async () => (await first.cli('HGET', HEAD, 'id')) === '2')
    await second.kill()
    const next = writer.append([set('c')])
    await first.cli('REPLICAOF', 'NO', 'ONE')
    await next
    assert.equal(await first.cli('HGET', HEAD, 'id'), '3')
  })

  test('who watches is called again after the server came back', async (t) => {
    const server = await startRedis(t, { appendOnly: true })
    const [log, other] = await Promise.all([0, 1].map(() => openLog(t, { url: server.url })))
    const writer = await LogWriter.at(other!)
    let calls = 0
    t.after(log!.watch(() => calls++))
    await eventually(() => calls > 0)
    await server.kill()
    await server.start()
    for (let n = 0; n < 3; n++) {
      calls = 0
      await writer.append([set('a', String(n))])
      await eventually(() => calls > 0)
    }
  })

  test('a server that loads its data is waited for', async (t) => {
    const server = await startRedis(t, { appendOnly: true })
    const log = await openLog(t, { url: server.url, timeout: '20s' })
    const writer = await LogWriter.at(log)
    await writer.append(Array.from({ length: 50 }, (_, n) => set(`k${n}`)))
    await Promise.all(Array.from({ length: 100 }, (_, n) => server.cli('SET', `other ${n}`, 'x'.repeat(500))))
    await server.cli('CONFIG', 'SET', 'loading-process-events-interval-bytes', '1024')
    await server.cli('CONFIG', 'SET', 'key-load-delay', '20000')
    const reloaded = server.cli('DEBUG', 'RELOAD')
    // It tells others that it loads, as soon as it does.
    await eventually(async () => (await server.cli('PING')).includes('LOADING'))
    assert.equal((await log.head()).id, 50)
    await reloaded
  })

  test('full memory is refused with words, nothing is half done, and it goes on with more', async (t) => {
    const server = await startRedis(t, { args: ['--maxmemory', '4mb', '--maxmemory-policy', 'noeviction'] })
    const log = await openLog(t, { url: server.url })
    const writer = await LogWriter.at(log)
    const fill = async () => {
      for (let n = 0; n < 100; n++)
        await writer.append([set('a', 'x'.repeat(50_000)), set(`b${n}`, 'y'.repeat(50_000))])
    }
    const error = await refuses(fill(), 'store-refused', 'OOM')
    assert.match(error.hint, /maxmemory/)
    assert.deepEqual(await everything(log), writer.entries)
    assert.deepEqual((await log.snapshot()).position, writer.position)
    await log.trim(1)
    await server.cli('CONFIG', 'SET', 'maxmemory', '64mb')
    await writer.append([set('c')])
    assert.equal((await log.snapshot()).entries.get('c'), 'x')
  })

  test('a wrong password, none, and a user who may not are refused at once, and say what to mend', async (t) => {
    const server = await startRedis(t, { args: ['--requirepass', 'right'] })
    const cli = (...args: string[]) => server.cli('--no-auth-warning', '-a', 'right', ...args)
    await cli('ACL', 'SETUSER', 'elsewhere', 'on', '>pw', '~other:*', '+@all')
    await cli('ACL', 'SETUSER', 'reader', 'on', '>pw', '~*', '+@read', '+info')
    for (const [input, word] of [
      [{}, 'NOAUTH'],
      [{ password: 'wrong' }, 'WRONGPASS'],
      [{ username: 'nobody', password: 'right' }, 'WRONGPASS'],
      [{ username: 'elsewhere', password: 'pw' }, 'NOPERM'],
      [{ username: 'reader', password: 'pw' }, 'NOPERM'],
    ] as const) {
      const log = await openLog(t, { url: server.url, ...input })
      const begun = performance.now()
      const error = await refuses(log.head(), 'store-refused', word, server.address)
      assert.match(error.hint, /store\.(?:username|prefix)/)
      assert.ok(performance.now() - begun < 4000)
    }
    // The user that the page on engines makes.
    const user = /^ACL SETUSER orla on >PASSWORD .*$/m.exec(readFileSync('docs/concepts/engines.md', 'utf8'))
    assert.equal(await cli(...user![0].replace('PASSWORD', 'pw').split(' ')), 'OK')
    const log = await openLog(t, { url: server.url, username: 'orla', password: 'pw' })
    const writer = await LogWriter.at(log)
    await writer.append([set('a'), { operation: 'DELETE', key: 'b' }])
    await log.trim(1)
    assert.equal(await log.replace(writer.position, await log.snapshot()), 'replaced')
    let calls = 0
    t.after(log.watch(() => calls++))
    await eventually(() => calls > 0)
  })
})

/** What answers on a port that is taken for Redis. */
async function impostor(t: TestContext, onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    onConnection(socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return `redis://127.0.0.1:${address.port}`
}

const IMPOSTORS: Readonly<Record<string, (socket: Socket) => void>> = {
  'speaks HTTP': (socket) => socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
  'says OK to everything': (socket) => socket.on('data', () => socket.write('+OK\r\n')),
  'says numbers': (socket) => socket.on('data', () => socket.write(':1\r\n:2\r\n:3\r\n')),
  'sends rubbish': (socket) =>
    socket.on('data', () => socket.write(Buffer.from([0, 255, 13, 10, 36, 45, 57, 13, 10, 1]))),
  'talks without being asked': (socket) => socket.write('hello\r\n'),
  'cuts its answer': (socket) => socket.on('data', () => socket.end('$5000\r\nredis_ver')),
  'promises more than there can be': (socket) =>
    socket.on('data', () => socket.write('*99999999999999999999\r\n')),
  'hangs up': (socket) => socket.destroy(),
  'says nothing': () => {},
}

test(
  'Redis behind TLS is trusted by the authority that is named, and by no other',
  { skip: redisIsMissing },
  async (t) => {
    const { make } = certificateMaker(t)
    const ca = make('authority', ['authority.example'])
    const { cert, key } = make('server', ['127.0.0.1'], { ca })
    const port = await freePort()
    const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', ca.cert]
    await startRedis(t, { args: ['--tls-port', String(port), '--tls-auth-clients', 'optional', ...files] })
    const url = `rediss://127.0.0.1:${port}`
    const log = await openLog(t, { url, tls: { ca: ca.cert } })
    await (await LogWriter.at(log)).append([set('a')])
    const stranger = await openLog(t, { url })
    const error = await refuses(stranger.head(), 'store-refused', 'certificate')
    assert.match(error.hint, /store\.tls/)
    // And with a certificate of its own, where the server asks for one.
    const shown = await openLog(t, { url, tls: { ca: ca.cert, ...make('client', ['orla'], { ca }) } })
    assert.equal((await shown.head()).id, 1)
    await assert.rejects(openLog(t, { url, tls: { ca: '/nowhere.pem' } }), /store\.tls\.ca: \/nowhere\.pem/)
  },
)

describe('what is taken for Redis', { concurrency: true }, () => {
  for (const [what, onConnection] of Object.entries(IMPOSTORS)) {
    test(`and ${what} is not available, in time`, async (t) => {
      const url = await impostor(t, onConnection)
      const engine = await openRedis(t, { url, timeout: '300ms' })
      const log = engine.log('units')
      t.after(log.watch(() => {}))
      const position = { log: 'a'.repeat(32), id: 0, hash: GENESIS }
      await refuses(log.head(), 'store-unavailable')
      await refuses(log.append(position, chain(position, [set('a')], 1)), 'store-unavailable')
      await refuses(log.read(position, 5), 'store-unavailable')
      await refuses(log.snapshot(), 'store-unavailable')
      const { isHealthy, problem, members } = await engine.status()
      assert.deepEqual([isHealthy, typeof problem, members], [false, 'string', []])
    })
  }
})
