/** The table of networks while the node runs: replaced, damaged, gone. */
import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { mmdbOf } from '../../../test/harness/mmdb.ts'
import { parseIp } from '../../base/ip-address.ts'
import { Networks } from './networks.ts'

const IP = parseIp('192.0.2.1')!

function table(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'orla-networks-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'asn.mmdb')
  const warnings: string[] = []
  return {
    path,
    warnings,
    networks: new Networks((line) => warnings.push(line)),
    /** As those who fetch such files do: in one move. */
    put(bytes: Buffer) {
      writeFileSync(`${path}.new`, bytes)
      renameSync(`${path}.new`, path)
    },
  }
}

test('a new file takes the place of the one before', async (t) => {
  const { path, networks, put, warnings } = table(t)
  put(mmdbOf({ '192.0.2.0/24': 64_496 }))
  const networkOf = networks.of(path)
  assert.equal(networkOf(IP), 64_496)
  put(mmdbOf({ '192.0.2.0/25': 64_497 }))
  await networks.refresh()
  assert.equal(networkOf(IP), 64_497)
  assert.deepEqual(warnings, [])
})

test('a file that is damaged, or gone, leaves the one before in use, and is told once', async (t) => {
  const { path, networks, put, warnings } = table(t)
  put(mmdbOf({ '192.0.2.0/24': 64_496 }))
  const networkOf = networks.of(path)
  put(Buffer.from('damaged'))
  await networks.refresh()
  await networks.refresh()
  assert.equal(networkOf(IP), 64_496)
  assert.deepEqual(warnings, [
    `geo.asn: ${path} cannot be read: it has no metadata; the one before stays in use`,
  ])
  rmSync(path)
  await networks.refresh()
  await networks.refresh()
  assert.equal(networkOf(IP), 64_496)
  assert.equal(warnings.length, 2)
  assert.match(warnings[1]!, /ENOENT/)
  put(mmdbOf({ '192.0.2.0/24': 64_498 }))
  await networks.refresh()
  assert.equal(networkOf(IP), 64_498)
})

test('without a table no network is known, and one that cannot be read at first refuses the set', (t) => {
  const { path, networks } = table(t)
  assert.equal(networks.of(undefined)(IP), undefined)
  assert.throws(() => networks.of(path), { code: 'config-invalid', message: /^geo\.asn: .*cannot be read/ })
})
