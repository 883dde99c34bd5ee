import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_MANIFEST, type Sample, type UnitVersion } from '../contract/unit.ts'
import { isSampled, type SampleClient } from './sample.ts'

const unit = (share: number, by: Sample['by'], name = 'canary'): UnitVersion => ({
  name,
  version: 1,
  code: '',
  sourceMap: '',
  phases: 2,
  manifest: { ...DEFAULT_MANIFEST, sample: { share, by } },
  env: {},
})
const client = (address: string, cookies: Record<string, string> = {}, random = 0.5): SampleClient => ({
  random,
  address,
  cookie: (name) => cookies[name],
})
/** Addresses that differ little, as those of one network do. */
const ADDRESSES = Array.from({ length: 20_000 }, (_, n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`)

test('a random sample is drawn for each request', () => {
  assert.equal(isSampled(unit(0.5, 'random'), client('a', {}, 0.49)), true)
  assert.equal(isSampled(unit(0.5, 'random'), client('a', {}, 0.5)), false)
})

test('a share of 0 is nobody and of 1 everybody, by whatever', () => {
  for (const by of ['random', 'address', 'cookie:sid'] as const) {
    assert.equal(isSampled(unit(0, by), client('a', {}, 0)), false)
    assert.equal(isSampled(unit(1, by), client('a', {}, 0.999999)), true)
  }
})

test('a share of addresses is that share of clients, within a percent', () => {
  for (const share of [0.01, 0.1, 0.5, 0.9]) {
    const inside = ADDRESSES.filter((address) => isSampled(unit(share, 'address'), client(address))).length
    assert.ok(
      Math.abs(inside / ADDRESSES.length - share) < 0.01,
      `${inside} of ${ADDRESSES.length} at ${share}`,
    )
  }
})

test('a client stays on its side, and a larger share keeps all who were in', () => {
  let before = new Set<string>()
  for (const share of [0.05, 0.1, 0.3, 0.7, 1]) {
    const now = new Set(ADDRESSES.filter((address) => isSampled(unit(share, 'address'), client(address))))
    for (const address of before) assert.ok(now.has(address))
    before = now
  }
})

test('two units do not sample the same clients', () => {
  const both = ADDRESSES.filter(
    (address) =>
      isSampled(unit(0.5, 'address', 'a'), client(address)) &&
      isSampled(unit(0.5, 'address', 'b'), client(address)),
  ).length
  assert.ok(Math.abs(both / ADDRESSES.length - 0.25) < 0.02, `${both}`)
})

test('a cookie decides from whatever address; without it the address does', () => {
  const sampled = unit(0.5, 'cookie:sid')
  for (const sid of ['a', 'b', 'c', 'd', 'e', 'f']) {
    const sides = new Set(
      ADDRESSES.slice(0, 50).map((address) => isSampled(sampled, client(address, { sid }))),
    )
    assert.equal(sides.size, 1)
  }
  for (const address of ADDRESSES.slice(0, 50)) {
    assert.equal(isSampled(sampled, client(address)), isSampled(unit(0.5, 'address'), client(address)))
  }
})
