import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { EdgeError } from '../base/errors.ts'
import { openSecrets } from './secrets.ts'

const root = mkdtempSync(join(tmpdir(), 'orla-secrets-'))
after(() => rmSync(root, { recursive: true }))
const directory = () => mkdtempSync(join(root, 's-'))
const unreadable = (work: () => unknown) =>
  assert.throws(work, (error) => error instanceof EdgeError && error.code === 'secret-unreadable')

test('what was sealed opens again, and does not show in what is stored', () => {
  const path = directory()
  for (const text of ['', 'token', 'ção 😀', 'x'.repeat(100_000)]) {
    const sealed = openSecrets(path).seal(text, 'a')
    assert.ok(text === '' || !sealed.includes(text))
    assert.equal(openSecrets(path).open(sealed, 'a'), text)
  }
})

test('the same text is never sealed the same', () => {
  const secrets = openSecrets(directory())
  assert.notEqual(secrets.seal('token', 'a'), secrets.seal('token', 'a'))
})

test('a secret does not open in another place, changed, or with another key', () => {
  const secrets = openSecrets(directory())
  const sealed = secrets.seal('token', 'secret TOKEN of unit a')
  unreadable(() => secrets.open(sealed, 'secret TOKEN of unit b'))
  unreadable(() => secrets.open(`${sealed.slice(0, -6)}AAAAAA`, 'secret TOKEN of unit a'))
  unreadable(() => secrets.open('v1.', 'secret TOKEN of unit a'))
  const other = openSecrets(directory())
  other.seal('x', 'x')
  unreadable(() => other.open(sealed, 'secret TOKEN of unit a'))
})

test('the key file is made with the first secret, for its owner alone, and never replaced', () => {
  const path = directory()
  const key = join(path, 'orla.key')
  const secrets = openSecrets(path)
  assert.ok(!existsSync(key))
  secrets.seal('a', 'a')
  assert.equal(statSync(key).mode & 0o777, 0o600)
  const before = readFileSync(key)
  openSecrets(path).seal('b', 'b')
  assert.deepEqual(readFileSync(key), before)
})

test('opening without a key says so, and does not make one', () => {
  const path = directory()
  unreadable(() => openSecrets(path).open('v1.AAAA', 'a'))
  assert.ok(!existsSync(join(path, 'orla.key')))
})

test('a key from the environment is used in hex or base64, and no file is made', () => {
  const path = directory()
  const key = randomBytes(32)
  const sealed = openSecrets(path, key.toString('hex')).seal('token', 'a')
  assert.equal(openSecrets(path, key.toString('base64')).open(sealed, 'a'), 'token')
  assert.ok(!existsSync(join(path, 'orla.key')))
})

test('what is no key is refused, wherever it comes from', () => {
  unreadable(() => openSecrets(directory(), 'short'))
  const path = directory()
  writeFileSync(join(path, 'orla.key'), '')
  chmodSync(join(path, 'orla.key'), 0o600)
  unreadable(() => openSecrets(path).seal('a', 'a'))
})

test('a replica opens what came before the key of its control plane changed, and what comes after, also after a restart', () => {
  const [control, edge] = [directory(), directory()]
  const before = openSecrets(control)
  const old = before.seal('old', 'a')
  const replica = openSecrets(edge)
  replica.adopt(before.key())
  const after = openSecrets(control, randomBytes(32).toString('hex'))
  replica.adopt(after.key())
  for (const secrets of [replica, openSecrets(edge)]) {
    assert.equal(secrets.open(old, 'a'), 'old')
    assert.equal(secrets.open(after.seal('new', 'a'), 'a'), 'new')
    assert.equal(secrets.print(), after.print())
  }
  unreadable(() => openSecrets(edge).open(openSecrets(directory()).seal('x', 'a'), 'a'))
})

test('while nobody knows whether an engine took the secrets anew, neither key is lost', async () => {
  const path = directory()
  const secrets = openSecrets(path)
  const old = secrets.seal('old', 'a')
  let taken = ''
  const answer = new EdgeError('store-unavailable', 'no answer')
  await assert.rejects(
    secrets.rotate(undefined, async (_, next) => {
      taken = next.seal('new', 'a')
      throw answer
    }),
    answer,
  )
  // The replica is behind: what it has opens with the key of before.
  const again = openSecrets(path)
  again.settle(() => ({ sealed: old, context: 'a' }), false)
  assert.equal(again.open(old, 'a'), 'old')
  assert.ok(existsSync(join(path, 'orla.key.next')))
  // And then it hears what the engine has.
  assert.equal(again.open(taken, 'a'), 'new')
  assert.ok(!existsSync(join(path, 'orla.key.next')))
  assert.equal(openSecrets(path).open(taken, 'a'), 'new')
})
