import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import { fileRewriter } from '../../replication/store-writer.ts'
import { openSecrets } from '../../store/secrets.ts'
import { openStore, type SqliteStore } from '../../store/sqlite-store.ts'
import { rotateStopped } from './stopped-rotation.ts'
import { recordKey, secretContext } from '../../unit/records.ts'
import { rotateSecrets, settleSecrets, type RotatableBox } from './secret-rotation.ts'

const root = mkdtempSync(join(tmpdir(), 'orla-rotation-'))
after(() => rmSync(root, { recursive: true }))

const ROTATING = fileURLToPath(new URL('../testing/rotating.ts', import.meta.url))
const VERSIONS = 20

/** Units with secrets, in two names and many versions. */
function fill(directory: string, environment?: string): void {
  const store = openStore(directory, { clock: systemClock })
  const box = openSecrets(directory, environment)
  for (const name of ['a', 'b'])
    for (let version = 1; version <= VERSIONS; version++) {
      const sealed = box.seal(`${name}${version}`, secretContext(name, 'TOKEN'))
      const value = JSON.stringify({ env: { TOKEN: { sealed }, PLAIN: { plain: 'x' } } })
      store.append([{ operation: 'SET', key: recordKey(name, version), value }])
    }
  store.close()
}

function assertReadable(store: SqliteStore, box: RotatableBox): void {
  settleSecrets(store, box)
  for (const name of ['a', 'b'])
    for (let version = 1; version <= VERSIONS; version++) {
      const { env } = JSON.parse(store.get(recordKey(name, version))!) as {
        env: { TOKEN: { sealed: string }; PLAIN: { plain: string } }
      }
      assert.equal(box.open(env.TOKEN.sealed, secretContext(name, 'TOKEN')), `${name}${version}`)
      assert.deepEqual(env.PLAIN, { plain: 'x' })
    }
}

async function opened<T>(directory: string, work: (store: SqliteStore) => T | Promise<T>): Promise<T> {
  const store = openStore(directory, { clock: systemClock })
  try {
    return await work(store)
  } finally {
    store.close()
  }
}

test('a rotation that is killed at any moment leaves secrets that all open', async () => {
  const directory = mkdtempSync(join(root, 'k-'))
  fill(directory)
  const keys = new Set<string>()
  for (let round = 0; round < 12; round++) {
    const child = spawn(process.execPath, [ROTATING, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = once(child, 'exit')
    await once(child.stdout, 'data')
    // Not a wait for something: the moment of death is what changes.
    await delay(Math.random() * 40)
    child.kill('SIGKILL')
    await ended
    await opened(directory, async (store) => {
      assertReadable(store, openSecrets(directory))
      assert.ok(store.verify().ok)
    })
    assert.ok(!existsSync(join(directory, 'orla.key.next')))
    keys.add(readFileSync(join(directory, 'orla.key'), 'utf8'))
  }
  assert.ok(keys.size > 1, 'no rotation was ever finished')
})

test('where it was cut off between its steps, the step that was done counts', async () => {
  const directory = mkdtempSync(join(root, 's-'))
  fill(directory)
  const path = join(directory, 'orla.key')
  const before = readFileSync(path)
  await opened(directory, async (store) => {
    // The key was written, and nothing else.
    writeFileSync(`${path}.next`, randomBytes(32).toString('base64'))
    assertReadable(store, openSecrets(directory))
    assert.deepEqual(readFileSync(path), before)
    // All but the last step.
    await rotateSecrets(store, fileRewriter(store), openSecrets(directory))
    writeFileSync(`${path}.next`, readFileSync(path))
    writeFileSync(path, before)
    assertReadable(store, openSecrets(directory))
    assert.notDeepEqual(readFileSync(path), before)
  })
})

test('the log has nothing that is sealed with the key of before, and is whole, under another name', async () => {
  const directory = mkdtempSync(join(root, 'h-'))
  fill(directory)
  const sealedIn = (store: SqliteStore) =>
    store.read(0, 1000).flatMap(({ value }) => {
      const { env } = JSON.parse(value || '{}') as { env?: { TOKEN?: { sealed: string } } }
      return env?.TOKEN === undefined ? [] : [env.TOKEN.sealed]
    })
  await opened(directory, async (store) => {
    // History: a version that was written twice, one that is gone, and a secret of a key that nobody has any more.
    store.append([
      { operation: 'SET', key: recordKey('a', 1), value: store.get(recordKey('a', 1))! },
      { operation: 'SET', key: recordKey('b', 99), value: store.get(recordKey('b', 1))! },
      { operation: 'DELETE', key: recordKey('b', 99) },
      { operation: 'SET', key: recordKey('c', 1), value: '{"env":{"TOKEN":{"sealed":"v1.AAAA"}}}' },
      { operation: 'DELETE', key: recordKey('c', 1) },
      { operation: 'SET', key: 'other', value: '' },
    ])
    const before = sealedIn(store)
    const { log, id } = store.position()
    const key = readFileSync(join(directory, 'orla.key'), 'utf8')
    assert.equal(
      (await rotateSecrets(store, fileRewriter(store), openSecrets(directory))).secrets,
      2 * VERSIONS,
    )
    const now = sealedIn(store)
    assert.equal(now.length, before.length)
    assert.ok(before.every((sealed) => !now.includes(sealed)))
    const old = openSecrets(directory, key)
    for (const name of ['a', 'b', 'c'])
      for (const sealed of now) assert.throws(() => old.open(sealed, secretContext(name, 'TOKEN')))
    assert.equal(store.position().id, id)
    assert.notEqual(store.position().log, log)
    assert.deepEqual(store.verify(), { ok: true, entries: id })
    store.append([{ operation: 'SET', key: 'other', value: 'x' }])
    assertReadable(store, openSecrets(directory))
  })
  await opened(directory, (store) => assert.ok(store.verify().ok))
})

test('with a wrong key nothing is changed, and the error names the secret', async () => {
  const directory = mkdtempSync(join(root, 'w-'))
  fill(directory)
  await opened(directory, async (store) => {
    const position = store.position()
    const wrong = openSecrets(directory, randomBytes(32).toString('hex'))
    await assert.rejects(
      () => rotateSecrets(store, fileRewriter(store), wrong, randomBytes(32).toString('hex')),
      (error) =>
        error instanceof EdgeError &&
        error.code === 'secret-unreadable' &&
        /secret TOKEN of unit a does not open with this key/.test(error.message),
    )
    await assert.rejects(
      () => rotateSecrets(store, fileRewriter(store), openSecrets(directory), 'abc'),
      /the new key is not a key: 32/,
    )
    assert.deepEqual(store.position(), position)
    assert.ok(store.verify().ok)
    assertReadable(store, openSecrets(directory))
  })
})

test('where the key is lost, what it sealed is replaced by what nobody knows, and told', async () => {
  const directory = mkdtempSync(join(root, 'l-'))
  fill(directory)
  rmSync(join(directory, 'orla.key'))
  await assert.rejects(() => rotateStopped(directory, undefined, undefined), {
    code: 'secret-unreadable',
    message: `secret TOKEN of unit a cannot be opened: there is no ${join(directory, 'orla.key')}`,
  })
  const { lost } = await rotateStopped(directory, undefined, undefined, { replaceLost: true })
  assert.deepEqual(lost, ['secret TOKEN of unit a', 'secret TOKEN of unit b'])
  await opened(directory, async (store) => {
    const { env } = JSON.parse(store.get(recordKey('a', 1))!) as { env: { TOKEN: { sealed: string } } }
    const text = openSecrets(directory).open(env.TOKEN.sealed, secretContext('a', 'TOKEN'))
    assert.match(text, /^[\w-]{32}$/)
    assert.ok(store.verify().ok)
  })
  assert.deepEqual((await rotateStopped(directory, undefined, undefined, { replaceLost: true })).lost, [])
})

test('a key from the environment gives way to one that is named, and no file is made', async () => {
  const directory = mkdtempSync(join(root, 'e-'))
  const [first, second] = [randomBytes(32).toString('hex'), randomBytes(32).toString('base64')]
  fill(directory, first)
  await opened(directory, async (store) => {
    const box = openSecrets(directory, first)
    await assert.rejects(
      () => rotateSecrets(store, fileRewriter(store), box),
      /the key of this node comes from ORLA_SECRET_KEY/,
    )
    await assert.rejects(
      () => rotateSecrets(store, fileRewriter(store), box, first),
      /the one that secrets are sealed with already/,
    )
    assert.equal((await rotateSecrets(store, fileRewriter(store), box, second)).secrets, 2 * VERSIONS)
    assertReadable(store, box)
    assertReadable(store, openSecrets(directory, second))
    assert.throws(() => assertReadable(store, openSecrets(directory, first)), /does not open with this key/)
    assert.ok(!existsSync(join(directory, 'orla.key')))
  })
})
