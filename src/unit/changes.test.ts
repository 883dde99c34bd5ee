import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { systemClock } from '../base/clock.ts'
import { EdgeError } from '../base/errors.ts'
import type { ErrorCode } from '../base/error-codes.ts'
import type { Store } from '../contract/store.ts'
import { DEFAULT_MANIFEST, versionKey, type Manifest } from '../contract/unit.ts'
import { openSecrets } from '../store/secrets.ts'
import { openStore } from '../store/sqlite-store.ts'
import * as changes from './changes.ts'
import { pointerKey, readPointer, readRecord, readUnits, recordKey, type VersionCache } from './records.ts'

const root = mkdtempSync(join(tmpdir(), 'orla-changes-'))
const open: Store[] = []
after(() => {
  for (const store of open) store.close()
  rmSync(root, { recursive: true })
})

/** A node's units, changed the way a control plane does: planned, then appended. */
class Units {
  readonly directory = mkdtempSync(join(root, 'd-'))
  readonly store = openStore(this.directory, { clock: systemClock })
  readonly secrets = openSecrets(this.directory)

  constructor() {
    open.push(this.store)
  }

  deploy(
    name: string,
    options: { env?: changes.EnvChange; manifest?: Partial<Manifest>; bad?: number[] } = {},
  ) {
    const draft: changes.Draft = {
      name,
      code: `module.exports = { default: {} } // ${name}`,
      sourceMap: '{}',
      files: { 'a.ts': 'export default {}' },
      entry: 'a.ts',
      phases: 2,
      manifest: { ...DEFAULT_MANIFEST, ...options.manifest },
      ...(options.env ? { env: options.env } : {}),
    }
    const context = { secrets: this.secrets, at: 1, bad: new Set(options.bad ?? []) }
    return this.apply(changes.planDeploy(this.store, draft, context))
  }

  env(name: string, env: changes.EnvChange, replace = false) {
    return this.apply(changes.planEnv(this.store, name, env, { secrets: this.secrets, at: 2, replace }))
  }

  rollback(name: string, to?: number) {
    return this.apply(changes.planRollback(this.store, name, 3, to))
  }

  remove(name: string) {
    return this.apply(changes.planRemove(this.store, name, 4))
  }

  disable(name: string, disabled = true) {
    return this.apply(changes.planDisabled(this.store, name, disabled, 5))
  }

  apply<T extends changes.Change>(change: T): T {
    this.store.append(change.effects)
    return change
  }

  set(cache?: VersionCache) {
    return readUnits(this.store, this.secrets, cache)
  }

  get live() {
    return this.set().units.map(versionKey)
  }

  get lastGood() {
    return Object.values(this.set().lastGood).map(versionKey)
  }
}

function refuses(work: () => unknown, code: ErrorCode, message: RegExp): void {
  assert.throws(work, (error: unknown) => {
    assert.ok(error instanceof EdgeError && error.code === code, String(error))
    assert.match(error.message, message)
    return true
  })
}

test('deployed units are live together, and the epoch is the position of the store', () => {
  const units = new Units()
  units.deploy('b')
  const change = units.deploy('a')
  const set = units.set()
  assert.deepEqual(units.live, ['a@1', 'b@1'])
  assert.equal(set.epoch, units.store.position().id)
  assert.deepEqual(set.units[0], change.unit)
})

test('a deploy is one number more, and what was read back is what was deployed', () => {
  const units = new Units()
  units.deploy('a', {
    env: { A: { value: '1' }, S: { value: 'hidden', secret: true } },
    manifest: { priority: 7 },
  })
  const { unit } = units.deploy('a', { manifest: { priority: 8 } })
  assert.deepEqual([unit.version, unit.manifest.priority], [2, 8])
  assert.deepEqual(units.set().units, [unit])
})

test('the environment stays over deploys, changes as a new version, and unsets by null', () => {
  const units = new Units()
  units.deploy('a', { env: { A: { value: '1' }, S: { value: 'hidden', secret: true } } })
  assert.deepEqual(units.deploy('a', { env: { B: { value: '2' } } }).unit.env, {
    A: '1',
    S: 'hidden',
    B: '2',
  })
  const { unit } = units.env('a', { A: null, S: { value: 'other', secret: true } })
  assert.deepEqual([unit.version, unit.env], [3, { S: 'other', B: '2' }])
  assert.deepEqual(units.env('a', { C: { value: '3' } }, true).unit.env, { C: '3' })
  assert.deepEqual(units.live, ['a@4'])
})

test('a secret is never in the store as text, and is of one unit and one name', () => {
  const units = new Units()
  units.deploy('a', { env: { S: { value: 'open sesame', secret: true } } })
  for (const { value } of units.store.read(0, 100)) assert.ok(!value.includes('open sesame'))
  const record = readRecord(units.store, 'a', 1)!
  const stolen = { ...record, env: { T: record.env['S']! } }
  units.store.append([{ operation: 'SET', key: recordKey('a', 1), value: JSON.stringify(stolen) }])
  refuses(() => units.set(), 'secret-unreadable', /secret T of unit a/)
})

test('a rollback goes to what was live before, then further back, then nowhere', () => {
  const units = new Units()
  for (let n = 0; n < 3; n++) units.deploy('a')
  assert.equal(units.rollback('a').version, 2)
  assert.deepEqual(units.live, ['a@2'])
  assert.equal(units.rollback('a').version, 1)
  refuses(() => units.rollback('a'), 'unit-conflict', /^a has no version before a@1$/)
})

test('after a rollback a deploy gets a fresh number, and a rollback goes to the version that was live', () => {
  const units = new Units()
  for (let n = 0; n < 3; n++) units.deploy('a')
  units.rollback('a')
  assert.equal(units.deploy('a').version, 4)
  assert.equal(units.rollback('a').version, 2)
})

test('a rollback to a number goes there, backward or forward', () => {
  const units = new Units()
  for (let n = 0; n < 4; n++) units.deploy('a')
  units.rollback('a', 1)
  assert.deepEqual(units.live, ['a@1'])
  units.rollback('a', 3)
  assert.deepEqual(units.live, ['a@3'])
  assert.equal(units.rollback('a').version, 1)
  refuses(() => units.rollback('a', 1), 'unit-conflict', /^a@1 is live already$/)
  refuses(() => units.rollback('a', 9), 'unit-conflict', /^a@9 is not kept; there are 1, 2, 3, 4$/)
})

test('lastGood is the version that was live before, for units that ask for it', () => {
  const units = new Units()
  const manifest = { onError: 'lastGood' } as const
  units.deploy('a', { manifest })
  assert.deepEqual(units.lastGood, [])
  units.deploy('a', { manifest })
  units.deploy('b')
  units.deploy('b')
  assert.deepEqual(units.lastGood, ['a@1'])
})

test('a version that is known to be bad is not what one falls back to', () => {
  const units = new Units()
  const manifest = { onError: 'lastGood' } as const
  units.deploy('a', { manifest })
  units.deploy('a', { manifest })
  units.deploy('a', { manifest, bad: [2] })
  assert.deepEqual(units.lastGood, ['a@1'])
  assert.equal(units.rollback('a').version, 1)
})

test('a removed unit is gone, and its numbers are not given again', () => {
  const units = new Units()
  units.deploy('a')
  units.deploy('a')
  units.remove('a')
  assert.deepEqual([units.live, readPointer(units.store, 'a')], [[], undefined])
  assert.equal(readRecord(units.store, 'a', 1), undefined)
  refuses(() => units.remove('a'), 'unit-unknown', /^there is no unit a$/)
  const { unit } = units.deploy('a')
  assert.deepEqual([unit.version, unit.env], [3, {}])
  refuses(() => units.rollback('a'), 'unit-conflict', /no version before a@3/)
})

test('a unit that is switched off is not in the set, and a deploy switches it on', () => {
  const units = new Units()
  units.deploy('a')
  units.disable('a')
  assert.deepEqual(units.live, [])
  assert.deepEqual(units.disable('a').effects, [])
  units.disable('a', false)
  assert.deepEqual(units.live, ['a@1'])
  units.disable('a')
  units.env('a', { A: { value: '1' } })
  assert.deepEqual(units.live, [], 'a change of its environment does not')
  units.deploy('a')
  assert.deepEqual(units.live, ['a@3'])
})

test('all units are switched off and on again together', () => {
  const units = new Units()
  units.deploy('a')
  units.store.append(changes.planAllEnabled(units.store, false))
  assert.equal(units.set().enabled, false)
  assert.deepEqual(changes.planAllEnabled(units.store, false), [])
  units.store.append(changes.planAllEnabled(units.store, true))
  assert.equal(units.set().enabled, true)
})

test('the last twenty versions are kept, and the one that was live before among them', () => {
  const units = new Units()
  units.deploy('a')
  for (let n = 0; n < 30; n++) units.deploy('a', { bad: Array.from({ length: 29 }, (_, n) => n + 2) })
  const pointer = readPointer(units.store, 'a')!
  assert.equal(pointer.live, 31)
  assert.equal(pointer.kept.length, changes.VERSIONS_KEPT)
  assert.deepEqual(
    pointer.history.filter((version) => !pointer.kept.includes(version)),
    [],
  )
  assert.ok(pointer.kept.includes(1), 'the only good one before')
  for (let version = 1; version <= 31; version++) {
    assert.equal(
      readRecord(units.store, 'a', version) !== undefined,
      pointer.kept.includes(version),
      `${version}`,
    )
  }
})

test('a version that was read before is the same object, until nothing names it', () => {
  const units = new Units()
  const cache: VersionCache = new Map()
  units.deploy('a')
  units.deploy('b')
  const [a] = units.set(cache).units
  units.deploy('b')
  assert.equal(units.set(cache).units[0], a)
  assert.deepEqual([...cache.keys()].toSorted(), ['a@1', 'b@2'])
})

test('a set with a unit that cannot be read is no set at all', () => {
  const units = new Units()
  units.deploy('a')
  units.deploy('guard')
  units.store.append([{ operation: 'DELETE', key: recordKey('guard', 1) }])
  refuses(() => units.set(), 'store-corrupt', /no guard@1/)
  units.store.append([{ operation: 'SET', key: pointerKey('guard'), value: '{' }])
  refuses(() => units.set(), 'store-corrupt', /unit\/guard is no JSON/)
})

test('names that are no names are refused', () => {
  const units = new Units()
  for (const name of [
    '',
    'a/b',
    '-a',
    'a b',
    'x'.repeat(64),
    'constructor',
    'toString',
    '__proto__',
    'ção',
  ]) {
    refuses(() => units.deploy(name), 'request-invalid', /is no name for a unit/)
  }
  for (const name of ['a', '0', 'A.b-c_d', 'x'.repeat(63)]) units.deploy(name)
  refuses(
    () => units.deploy('a', { env: { 'A-B': { value: '' } } }),
    'request-invalid',
    /no name for a variable/,
  )
})

test('a variable may be called anything that a name can be', () => {
  const units = new Units()
  units.deploy('a', { env: { ['__proto__']: { value: 'p' }, constructor: { value: 'c' } } })
  assert.deepEqual(Object.entries(units.set().units[0]!.env).toSorted(), [
    ['__proto__', 'p'],
    ['constructor', 'c'],
  ])
})

test('a change of what is not there says so', () => {
  const units = new Units()
  refuses(() => units.rollback('x'), 'unit-unknown', /no unit x/)
  refuses(() => units.env('x', {}), 'unit-unknown', /no unit x/)
  refuses(() => units.disable('x'), 'unit-unknown', /no unit x/)
})
