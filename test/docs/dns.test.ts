/** The guide to DNS, from first answers to a steered zone in a node, as the page shows it; numbers are compared, too, as they are addresses. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { test } from 'node:test'
import { PLUGINS } from '../../src/plugins/dns/index.ts'
import { ORLA } from '../harness/command.ts'
import { freePort } from '../harness/ports.ts'
import { ROOT, textOf } from '../shape/tree.ts'
import { inPlace } from './console.ts'
import { blocksOf } from './markdown.ts'
import { folderFor, followPage, startBehind } from './sessions.ts'
import { steeredPlaces } from './steered-places.ts'

const PAGE = 'docs/guides/dns.md'
const STEERED = 'examples/dns/steered'
const PORTS = [
  '5300',
  '5301',
  '5302',
  '5303',
  '8081',
  '8090',
  '8091',
  '8443',
  '8444',
  '8530',
  '8853',
  '9001',
  '9153',
  '9154',
]

/** What differs from run to run: ids of queries, ports of clients, how long a deploy took, and how long an answer has been out of date. */
const same = (text: string): string =>
  text
    .replaceAll(/\bid: \d+/g, 'id: ID')
    .replaceAll(/(SRV\s+0 0) \d+/g, '$1 PORT')
    .replaceAll(/\bin \d+ ms\b/g, 'in TIME')
    .replaceAll(/out of date for \d+ s/g, 'out of date for TIME')
    .replaceAll(/[ \t]+/g, ' ')
    .trim()

test('the guide to DNS leads from nothing to a steered zone', async (t) => {
  const cwd = await folderFor(t)
  const places = new Map([['/home/ana/my-dns', cwd]])
  for (const port of PORTS) places.set(port, String(await freePort()))
  const path = [dirname(ORLA), dirname(process.execPath), process.env['PATH']].join(delimiter)
  const control = inPlace('http://127.0.0.1:8081', { cwd, env: {}, places })
  const env = { PATH: path, CHECKOUT: ROOT, ORLA_CONTROL: control, ORLA_TOKEN: 'change-me' }
  const session = { cwd, env, places, same }
  await followPage(PAGE, session, (block) => startBehind(t, block, session))
})

test('the files of the steered zone are those of the page, and its table is the one that is described', () => {
  const written = blocksOf(PAGE)
    .filter(({ marker }) => marker[0]?.startsWith('file '))
    .map(({ marker, text }) => `${marker[0]!.slice('file '.length)}\n${text}`)
  const names = readdirSync(join(ROOT, STEERED)).filter((name) => name !== 'places.mmdb')
  assert.deepEqual(names.toSorted(), ['Corefile', 'db.example.org', 'nodes.json'])
  for (const name of names)
    assert.ok(
      written.includes(`${name}\n${textOf(join(STEERED, name))}`),
      `${name} is another one on the page`,
    )
  assert.deepEqual(readFileSync(join(ROOT, STEERED, 'places.mmdb')), steeredPlaces())
})

test('the guide to DNS names every plugin, with a link to what it does', () => {
  const linked = [...textOf(PAGE).matchAll(/src\/plugins\/dns\/([\w-]+)\/README\.md/g)].map(
    ([, name]) => name,
  )
  assert.deepEqual(
    PLUGINS.filter((name) => !linked.includes(name)),
    [],
  )
})
