/** What `edge` takes in a Corefile, and what it refuses, with what would be right. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { mmdbOf } from '../../../../test/harness/mmdb.ts'
import { blockOf } from '../testing/block.ts'
import edge from './plugin.ts'

const folder = mkdtempSync(join(tmpdir(), 'edge-'))
test.after(() => rmSync(folder, { recursive: true }))
const file = (name: string, content: string | Buffer) => writeFileSync(join(folder, name), content)
file('asn.mmdb', mmdbOf({ '192.0.2.0/24': 64_496 }))
file('cut.mmdb', mmdbOf({ '192.0.2.0/24': 64_496 }).subarray(40))
file('nodes.json', '{ "gru1": { "address": "192.0.2.1", "location": [-23.5, -46.6], "weight": 2 } }')
file('cut.json', '{ "gru1": { "address": ')
file('wrong.json', '{ "gru1": { "adress": "192.0.2.1" } }')
file('empty.json', '{}')

const inEdge = (...lines: string[]) => `edge cdn.example.org {\n${lines.join('\n')}\n}`
const NODE = 'node gru1 192.0.2.1'

const GOOD = [
  inEdge(NODE),
  `edge {\n${NODE}\n}`,
  `edge www.example.org *.cdn.example.org {\n${NODE}\n}`,
  inEdge('node gru1 192.0.2.1 2001:db8::1', 'node gru2 192.0.2.2'),
  inEdge(
    'node gru1 {',
    'address 192.0.2.1 192.0.2.2',
    'location -23.55 -46.63',
    'country br',
    'continent sa',
    'asn 64500 AS64501',
    'weight 2.5',
    'priority 3',
    'geofence BR continent:NA AS64500',
    'probe https://192.0.2.1:8443/health?x=1 interval 1s timeout 500ms rise 1 fall 5 status 200,204 host cdn.example.org',
    'edge sao-paulo',
    'force drain',
    '}',
  ),
  inEdge('node gru1 {', 'address 192.0.2.1', 'probe tcp://[2001:db8::1]:443', '}'),
  inEdge('node gru1 {', 'cname gru1.cdn.example.net', '}'),
  inEdge('nodes nodes.json'),
  inEdge('node gru2 192.0.2.2', 'nodes nodes.json', 'force gru1 down', 'geofence gru2 BR'),
  inEdge(NODE, 'geo asn.mmdb', 'prefix 203.0.113.0/24 gru1', 'prefix 2001:db8::/32 gru1'),
  inEdge(NODE, 'filters up geofence nearest load weight first 2', 'watermark 0.9 0.5', 'heartbeat 30s'),
  inEdge(NODE, 'ecs allow 10.0.0.0/8 ::1', 'explain any', 'bucket 16 48', 'ttl 0', 'all-down closed'),
  inEdge(NODE, 'ecs any', 'explain off', 'watermark 1'),
]
for (const text of GOOD)
  test(`it takes: ${text.replaceAll('\n', ';')}`, async (t) => {
    await blockOf(t, text, { plugins: [edge], folder })
  })

const BAD: readonly (readonly [string, RegExp])[] = [
  ['edge', /Corefile:1 - plugin\/edge: no node: expected lines such as node gru1 192\.0\.2\.1/],
  [inEdge('ttl 30'), /no node/],
  [`edge www.example.com {\n${NODE}\n}`, /www\.example\.com is in none of the zones of this server block/],
  [`edge a..example.org {\n${NODE}\n}`, /empty label/],
  [inEdge('node'), /Corefile:2 - .*node needs a name/],
  [inEdge('node a/b 192.0.2.1'), /'a\/b' is no name of a node/],
  [inEdge(NODE, NODE), /Corefile:3 - .*node 'gru1' stands twice/],
  [inEdge('node gru1'), /node 'gru1' has no address and no cname/],
  [inEdge('node gru1 192.0.2'), /address: '192\.0\.2' is no address/],
  [inEdge('node gru1 {', 'adress 192.0.2.1', '}'), /Corefile:3 - .*did you mean 'address'/],
  [inEdge(`${NODE} {`, 'location 91 0', '}'), /location: expected latitude/],
  [inEdge(`${NODE} {`, 'location 1', '}'), /location: expected latitude/],
  [inEdge(`${NODE} {`, 'country BRA', '}'), /country: expected one country/],
  [inEdge(`${NODE} {`, 'continent XX', '}'), /continent: expected one of AF/],
  [inEdge(`${NODE} {`, 'asn x', '}'), /asn: 'x' is no number of a network/],
  [inEdge(`${NODE} {`, 'weight -1', '}'), /weight: expected a number from 0/],
  [inEdge(`${NODE} {`, 'priority 1.5', '}'), /priority: expected a whole number/],
  [inEdge(`${NODE} {`, 'geofence Brazil', '}'), /geofence: 'Brazil' is no fence/],
  [inEdge(`${NODE} {`, 'force off', '}'), /force: expected one of up, down, drain/],
  [inEdge(`${NODE} {`, 'probe ftp://192.0.2.1/', '}'), /probe: expected http:/],
  [inEdge(`${NODE} {`, 'probe tcp://192.0.2.1', '}'), /a tcp probe needs a port/],
  [inEdge(`${NODE} {`, 'probe http://192.0.2.1/ rise 0', '}'), /rise '0' is wrong/],
  [inEdge(`${NODE} {`, 'probe http://192.0.2.1/ every 5s', '}'), /unknown option 'every' of a probe/],
  [inEdge(`${NODE} {`, 'probe http://192.0.2.1/ host', '}'), /host '' is wrong/],
  [`edge {\nnode gru1 {\ncname a.example.net\n}\n}`, /a CNAME cannot stand there/],
  [inEdge('node gru1 {', 'cname cdn.example.org', '}'), /that leads in a circle/],
  [inEdge(NODE, 'prefix 203.0.113.0/24'), /prefix needs a prefix and a node/],
  [inEdge(NODE, 'prefix 203.0.113.7/24 gru1'), /has bits behind its length/],
  [inEdge(NODE, 'prefix 203.0.113.0/24 nobody'), /Corefile:3 - .*there is no node 'nobody'/],
  [inEdge(NODE, 'force nobody down'), /there is no node 'nobody'/],
  [inEdge(NODE, 'filters near'), /unknown filter 'near'/],
  [inEdge(NODE, 'filters'), /filters needs some of/],
  [inEdge(NODE, 'watermark 80'), /watermark needs a load from 0 to 1/],
  [inEdge(NODE, 'watermark 0.5 0.6'), /watermark needs a load from 0 to 1/],
  [inEdge(NODE, 'ecs'), /ecs needs networks, or any, or off/],
  [inEdge(NODE, 'ecs allow'), /ecs needs networks/],
  [inEdge(NODE, 'ecs 10.0.0/8'), /'10\.0\.0\/8' is no network/],
  [inEdge(NODE, 'bucket 33'), /bucket needs lengths/],
  [inEdge(NODE, 'ttl 30s'), /ttl needs a number of seconds/],
  [inEdge(NODE, 'all-down maybe'), /all-down is open or closed, not 'maybe'/],
  [inEdge(NODE, 'heartbeat 10ms'), /heartbeat needs at least 1s/],
  [inEdge(NODE, 'timeout 3s'), /unknown property 'timeout': expected node, nodes, geo/],
  [inEdge(NODE, 'geo missing.mmdb'), /cannot read missing\.mmdb: ENOENT/],
  [inEdge(NODE, 'geo cut.mmdb'), /cut\.mmdb is no table of MaxMind's format/],
  [inEdge('nodes missing.json'), /cannot read missing\.json/],
  [inEdge('nodes cut.json'), /cut\.json: line 1, column \d+/],
  [inEdge('nodes wrong.json'), /wrong\.json: node 'gru1': unknown property 'adress'; did you mean 'address'/],
  [inEdge('nodes empty.json'), /no node is there/],
  [inEdge(NODE, 'nodes nodes.json'), /node 'gru1' stands twice/],
  [`${inEdge(NODE)}\n${inEdge(NODE)}`, /cdn\.example\.org\. is steered twice/],
]
for (const [text, message] of BAD)
  test(`it refuses: ${text.replaceAll('\n', ';')}`, async (t) => {
    await assert.rejects(blockOf(t, text, { plugins: [edge], folder }), message)
  })
