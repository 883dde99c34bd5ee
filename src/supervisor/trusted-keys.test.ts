import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '../base/clock.ts'
import { checkConfig } from '../config/check.ts'
import type { Config } from '../config/schema.ts'
import { openStore } from '../store/sqlite-store.ts'
import { parseManifest } from '../unit/manifest.ts'
import { pointerKey, recordKey, type UnitPointer, type VersionRecord } from '../unit/records.ts'
import { newKey, signUnit } from '../unit/signature.ts'
import { TrustedKeys } from './trusted-keys.ts'

const trusting = (...trustedKeys: string[]): Config => {
  const result = checkConfig({ control: { units: { trustedKeys, requireSignature: true } } })
  if (result.kind !== 'config') throw new Error(JSON.stringify(result.problems))
  return result.config
}

test('keys come and go while a node runs; one whose units are live stays, and so does that of one that takes over', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'orla-keys-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const store = openStore(folder, { clock: systemClock })
  t.after(() => store.close())
  const [one, two] = [newKey(), newKey()]
  const deploy = (version: number, pem: string) => {
    const parsed = parseManifest({}, { onError: 'lastGood' })
    assert.ok('manifest' in parsed)
    const content = { code: `code ${version}`, phases: 1, manifest: parsed.manifest }
    const record = { ...content, signature: signUnit(createPrivateKey(pem), 'hi', content) } as VersionRecord
    const history = version > 1 ? [version - 1] : []
    const kept = [...history, version]
    const pointer: UnitPointer = { live: version, history, kept, last: version, disabled: false, at: 0 }
    store.append([
      { operation: 'SET', key: recordKey('hi', version), value: JSON.stringify(record) },
      { operation: 'SET', key: pointerKey('hi'), value: JSON.stringify(pointer) },
    ])
    return record
  }
  const keys = new TrustedKeys(store, trusting(one.trusted).control.units)
  const follow = (config: Config) => {
    const step = keys.follow(config)
    step.verify?.()
    void step.use()
  }
  deploy(1, one.pem)
  const signed = deploy(2, one.pem)
  assert.throws(() => follow(trusting(two.trusted)), /control\.units: version 2: hi is signed with the key/)
  // What was refused changed nothing.
  keys.check('hi', signed)
  follow(trusting(one.trusted, two.trusted))
  const next = deploy(3, two.pem)
  keys.check('hi', next)
  assert.throws(
    () => follow(trusting(two.trusted)),
    /control\.units: version 2: .* not trusted here, and takes over where it fails$/,
  )
  deploy(4, two.pem)
  follow(trusting(two.trusted))
  assert.throws(() => keys.check('hi', signed), /not trusted here/)
})
