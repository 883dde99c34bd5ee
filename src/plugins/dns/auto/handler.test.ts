/** Zones of a folder as they come, change and go. */
import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../../../../test/harness/eventually.ts'
import { RCODE } from '../../../wire/dns/codes.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import { blockOf, type TestBlock } from '../testing/block.ts'
import { zoneFolder, zoneText } from '../testing/zone-folder.ts'
import auto from './plugin.ts'

const serialOf = async (block: TestBlock, zone: string): Promise<number | undefined> => {
  const outcome = await block.ask(zone, 'SOA')
  const rdata = outcome instanceof DnsMessage ? outcome.answer[0]?.rdata : undefined
  return rdata?.readUInt32BE(rdata.length - 20)
}

test('files that are zones by their names are served; they change, come and go', async (t) => {
  const folder = zoneFolder(t)
  folder.write('db.one.example', zoneText(1))
  folder.write('notes.txt', 'no zone')
  folder.write('db.bad.example', 'www A\n')
  mkdirSync(join(folder.path, 'below'))
  folder.write('below/db.two.example', zoneText(2))
  const block = await blockOf(t, 'auto . {\n directory .\n reload 20ms\n}', {
    plugins: [auto],
    folder: folder.path,
    zones: ['.'],
  })
  assert.equal(await serialOf(block, 'one.example'), 1)
  assert.equal(await serialOf(block, 'two.example'), 2)
  assert.equal(await block.ask('bad.example', 'SOA'), RCODE.REFUSED)

  folder.write('db.one.example', zoneText(3))
  folder.write('db.three.example', zoneText(4))
  folder.write('db.bad.example', zoneText(5))
  folder.remove('below')
  await eventually(async () => (await serialOf(block, 'one.example')) === 3)
  await eventually(async () => (await serialOf(block, 'three.example')) === 4)
  await eventually(async () => (await serialOf(block, 'bad.example')) === 5)
  await eventually(async () => (await block.ask('two.example', 'SOA')) === RCODE.REFUSED)
  assert.ok(block.logged.some((line) => /info auto: two\.example\. is served no more/.test(line)))
  assert.equal(block.logged.filter((line) => line.startsWith('error auto: bad.example.')).length, 1)
})

test('only zones within its own are asked for', async (t) => {
  const folder = zoneFolder(t)
  folder.write('db.one.example', zoneText(1))
  folder.write('db.one.test', zoneText(1))
  const block = await blockOf(t, 'auto example {\n directory .\n}', {
    plugins: [auto],
    folder: folder.path,
    zones: ['.'],
  })
  assert.equal(await serialOf(block, 'one.example'), 1)
  assert.equal(await block.ask('one.test', 'SOA'), RCODE.REFUSED)
})

test('a pattern and a template say what a zone is called; of two files for one zone the first is taken', async (t) => {
  const folder = zoneFolder(t)
  folder.write('example.a.zone', zoneText(1))
  folder.write('example.a.zone2', zoneText(2))
  folder.write('.$x.zone', zoneText(9))
  const block = await blockOf(t, 'auto . {\n directory . ([^.]*)\\.([^.]*)\\.zone {2}.{1}\n}', {
    plugins: [auto],
    folder: folder.path,
    zones: ['.'],
  })
  assert.equal(await serialOf(block, 'a.example'), 1)
  assert.ok(
    block.logged.some((line) =>
      /warn auto: .*example\.a\.zone2 and .*example\.a\.zone are both for a\.example/.test(line),
    ),
  )
})

test('the folder may be a link, and may be gone for a while', async (t) => {
  const folder = zoneFolder(t)
  mkdirSync(join(folder.path, 'real'))
  folder.write('real/db.one.example', zoneText(1))
  symlinkSync('real', join(folder.path, 'link'))
  const block = await blockOf(t, 'auto . {\n directory link\n reload 20ms\n}', {
    plugins: [auto],
    folder: folder.path,
    zones: ['.'],
  })
  assert.equal(await serialOf(block, 'one.example'), 1)
  folder.remove('real')
  await eventually(() => block.logged.some((line) => /warn auto: .*link cannot be read/.test(line)))
  assert.equal(await serialOf(block, 'one.example'), 1)
})
