import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openStore } from '../store/sqlite-store.ts'
import { ROOT, TokenBook } from './tokens.ts'

function stand(t: import('node:test').TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'orla-tokens-'))
  let now = 1000
  const clock = { now: () => now, monotonic: () => now }
  let store = openStore(directory, { clock })
  t.after(() => {
    store.close()
    rmSync(directory, { recursive: true })
  })
  const open = () =>
    new TokenBook(
      store,
      async (plan) => store.append(plan()),
      'root token',
      () => now,
    )
  return {
    book: open(),
    store: () => store,
    pass: (ms: number) => (now += ms),
    reopen() {
      store.close()
      store = openStore(directory, { clock })
      return open()
    },
  }
}

test('a token is told once, kept as a hash, and known again after a restart', async (t) => {
  const { book, store, reopen } = stand(t)
  const { token, info } = await book.create({ name: 'ci', role: 'deploy', sites: ['tv', 'tv'] }, ROOT)
  assert.match(token, /^orla_[0-9a-f]{16}_[\w-]{43}$/)
  assert.deepEqual(book.identify(token), { id: info.id, name: 'ci', role: 'deploy', sites: ['tv'] })
  const text = JSON.stringify([...store().snapshot().entries, ...store().read(0, 100)])
  // The secret itself may hold underscores.
  assert.ok(!text.includes(token.slice('orla_'.length + info.id.length + 1)))
  assert.ok(!JSON.stringify(book.list()).includes('hash'))
  assert.deepEqual(reopen().identify(token), { id: info.id, name: 'ci', role: 'deploy', sites: ['tv'] })
})

test('what is nearly a token is none', async (t) => {
  const { book } = stand(t)
  const { token, info } = await book.create({ name: 'ci', role: 'admin' }, ROOT)
  for (const wrong of [
    '',
    'root',
    'root toke',
    `${token}x`,
    token.slice(0, -1),
    `orla_${info.id}_`,
    `orla_${info.id}`,
    'orla_0000000000000000_x',
  ]) {
    assert.equal(book.identify(wrong), 'unknown', wrong)
  }
  assert.equal(book.identify('root token'), ROOT)
})

test('a token ends by its time, by being revoked, and by being rotated once its grace is over', async (t) => {
  const { book, pass, reopen } = stand(t)
  const short = (await book.create({ name: 'short', role: 'read', ttlMs: 1000 }, ROOT)).token
  const first = (await book.create({ name: 'ci', role: 'read' }, ROOT)).token
  const second = (await book.rotate('ci', 5000)).token
  assert.equal((book.identify(first) as { name: string }).name, 'ci')
  pass(1000)
  assert.equal(book.identify(short), 'expired')
  pass(4000)
  assert.equal(book.identify(first), 'unknown')
  const third = (await book.rotate('ci', 0)).token
  assert.equal(book.identify(second), 'unknown')
  assert.equal((book.identify(third) as { name: string }).name, 'ci')
  await book.revoke('ci')
  assert.equal(book.identify(third), 'revoked')
  await assert.rejects(() => book.revoke('ci'), { code: 'token-unknown' })
  await assert.rejects(() => book.rotate('nobody', 0), { code: 'token-unknown' })
  assert.equal(reopen().identify(third), 'revoked')
})

test('names are not given twice, and an admin is not limited', async (t) => {
  const { book } = stand(t)
  await book.create({ name: 'ci', role: 'read' }, ROOT)
  await assert.rejects(() => book.create({ name: 'ci', role: 'read' }, ROOT), /called ci already/)
  await assert.rejects(() => book.create({ name: 'root', role: 'read' }, ROOT), /called root already/)
  await assert.rejects(
    () => book.create({ name: 'boss', role: 'admin', sites: ['tv'] }, ROOT),
    /cannot be limited/,
  )
  await book.revoke('ci')
  await book.create({ name: 'ci', role: 'read' }, ROOT)
})

test('another root takes the place of the one before, with all that it had opened', async (t) => {
  const { book } = stand(t)
  const before = book.identify('root token')
  assert.ok(typeof before === 'object' && book.isValid(before))
  assert.ok(book.isRoot('root token') && !book.isRoot('another'))
  book.useRoot('another')
  const now = book.identify('another')
  assert.ok(typeof now === 'object')
  assert.deepEqual([now, book.isValid(now), book.isValid(before)], [ROOT, true, false])
  assert.equal(book.identify('root token'), 'replaced')
  book.useRoot('root token')
  assert.deepEqual([book.identify('root token'), book.identify('another')], [ROOT, 'replaced'])
})
