/** What `chaos` tells of the server. */
import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { test } from 'node:test'
import { VERSION } from '../../../base/version.ts'
import { textsOf } from '../testing/answering.ts'
import { blockOf } from '../testing/block.ts'
import chaos from './plugin.ts'

const CH = 3

test('version, authors and host are told in the class CH', async (t) => {
  const block = await blockOf(t, 'chaos v7 bee ant bee', { plugins: [chaos] })
  const told = async (name: string) => textsOf((await block.answer(name, 'TXT', { class: CH })).answer)
  assert.deepEqual(await told('version.bind'), ['version.bind. 0 CH TXT "v7"'])
  assert.deepEqual(await told('Version.Server'), ['Version.Server. 0 CH TXT "v7"'])
  assert.deepEqual(await told('authors.bind'), [
    'authors.bind. 0 CH TXT "ant"',
    'authors.bind. 0 CH TXT "bee"',
  ])
  assert.deepEqual(await told('hostname.bind'), [`hostname.bind. 0 CH TXT "${hostname()}"`])
  assert.deepEqual(await told('id.server'), [`id.server. 0 CH TXT "${hostname()}"`])
})

test('without arguments the version is that of the program', async (t) => {
  const block = await blockOf(t, 'chaos', { plugins: [chaos] })
  const { answer } = await block.answer('version.bind', 'TXT', { class: CH })
  assert.deepEqual(textsOf(answer), [`version.bind. 0 CH TXT "Orla-${VERSION}"`])
})

test('what is longer than a string of TXT is cut', async (t) => {
  const block = await blockOf(t, `chaos ${'v'.repeat(300)}`, { plugins: [chaos] })
  const { answer } = await block.answer('version.bind', 'TXT', { class: CH })
  assert.equal(answer[0]!.rdata.length, 256)
})

test('all else goes on: other classes, types and names', async (t) => {
  const block = await blockOf(t, 'chaos', { plugins: [chaos] })
  assert.equal(await block.ask('version.bind', 'TXT'), 5)
  assert.equal(await block.ask('version.bind', 'A', { class: CH }), 5)
  assert.equal(await block.ask('example.org', 'TXT', { class: CH }), 5)
})
