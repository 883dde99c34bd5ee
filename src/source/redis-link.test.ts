/** The way to a real Redis that all units of a source share. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../base/clock.ts'
import { eventually } from '../../test/harness/eventually.ts'
import { startRedis } from '../../test/harness/redis.ts'
import { RedisLink } from './redis-link.ts'

const GET = { args: ['GET', 'k'], key: 'k', isWrite: false }

async function stand(t: TestContext, timeout: number) {
  const redis = await startRedis(t)
  const link = new RedisLink({ url: [redis.url], timeout }, systemClock)
  t.after(() => link.close())
  return { redis, link }
}

test('a command that has little time gives up alone: others keep the connection, and its answer does no harm', async (t) => {
  const { redis, link } = await stand(t, 20_000)
  await redis.cli('set', 'k', 'v')
  assert.equal(await link.send(GET), 'v')
  const connections = Number(await redis.info('total_connections_received'))
  redis.signal('SIGSTOP')
  const patient = link.send(GET)
  await assert.rejects(link.send(GET, 20), /no answer within 20 ms/)
  await assert.rejects(link.send({ ...GET, args: ['INCR', 'n'], isWrite: true }, 1), /no answer within 1 ms/)
  redis.signal('SIGCONT')
  assert.equal(await patient, 'v')
  assert.equal(await link.send(GET), 'v')
  // Each `redis-cli` is one, too.
  assert.equal(Number(await redis.info('total_connections_received')), connections + 1)
  assert.equal(await redis.cli('get', 'n'), '1')
})

test('one that has little time takes no connection away that is only being opened', async (t) => {
  const { redis, link } = await stand(t, 20_000)
  redis.signal('SIGSTOP')
  const patient = link.send(GET)
  await assert.rejects(link.send(GET, 20), /no answer within 20 ms/)
  redis.signal('SIGCONT')
  assert.equal(await patient, null)
})

test('where nothing comes for the time of the source, the connection goes, however little time commands have', async (t) => {
  const { redis, link } = await stand(t, 400)
  assert.equal(await link.send(GET), null)
  redis.signal('SIGSTOP')
  const startedMs = performance.now()
  await eventually(async () => {
    const error = await link.send(GET, 20).then(String, (error: Error) => error.message)
    return error.includes('no answer within 400 ms')
  })
  assert.ok(performance.now() - startedMs >= 390, `${performance.now() - startedMs}`)
  redis.signal('SIGCONT')
  assert.equal(await eventually(() => link.send(GET)), null)
})

test('one that accepts and says nothing is given up in the same time', async (t) => {
  const { redis, link } = await stand(t, 300)
  redis.signal('SIGSTOP')
  await assert.rejects(link.send(GET, 20_000), /no answer within 300 ms/)
  redis.signal('SIGCONT')
  await eventually(async () => (await link.send(GET)) === null)
})
