/** A name whose clients are steered, asked with `dig` over real sockets: nearest, down, reloaded, explained. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { composeDns } from '../../src/compose-dns.ts'
import { eventually } from '../harness/eventually.ts'
import { mmdbOf, mmdbWith } from '../harness/mmdb.ts'

const run = promisify(execFile)

const city = (country: string, continent: string, latitude: number, longitude: number) => ({
  country: { iso_code: country },
  continent: { code: continent },
  location: { latitude, longitude },
})

const ZONE = `$ORIGIN example.org.
@ 3600 SOA ns1 hostmaster 7 7200 3600 1209600 60
@ 3600 NS ns1
@ 3600 MX 10 mail
ns1 3600 A 192.0.2.53
mail 3600 A 192.0.2.25
`

/** São Paulo and London, and whoever is probed at `health`. */
const corefile = (health: string, more = '') => `example.org:0 {
  bind 127.0.0.1
  file zone.txt
  edge cdn.example.org example.org {
    node gru1 192.0.2.1 2001:db8::1 {
      location -23.5 -46.6
      country BR
    }
    node lhr1 192.0.2.2 {
      location 51.5 -0.1
      country GB
      probe ${health} interval 50ms rise 1 fall 2
    }
    geo city.mmdb asn.mmdb
    prefix 200.9.0.0/16 lhr1
    ecs allow 127.0.0.1
    ${more}
  }
}`

async function steeredDns(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'steering-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const cities = [
    ['81.0.0.0/8', city('GB', 'EU', 51.5, -0.1)],
    ['200.0.0.0/8', city('BR', 'SA', -23.5, -46.6)],
    ['2a00::/16', city('GB', 'EU', 51.5, -0.1)],
  ] as const
  writeFileSync(join(folder, 'city.mmdb'), mmdbWith(cities, 'GeoLite2-City'))
  writeFileSync(join(folder, 'zone.txt'), ZONE)
  writeFileSync(join(folder, 'asn.mmdb'), mmdbOf({ '203.0.113.0/24': 64_500 }))
  const health = { status: 200 }
  const server = createServer((_request, answer) => answer.writeHead(health.status).end())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/health`
  const logged: string[] = []
  const source = { text: corefile(url) }
  const { plane, figures } = composeDns({
    read: async () => ({ text: source.text, file: 'Corefile', folder }),
    env: {},
    log: (level, plugin, text) => void logged.push(`${level} ${plugin}: ${text}`),
  })
  await plane.start()
  t.after(() => plane.stop())
  const dig = async (...args: readonly string[]): Promise<string> => {
    const port = /\d+$/.exec(plane.addresses[0]!)![0]
    const { stdout } = await run('dig', ['@127.0.0.1', '-p', port, '+tries=3', '+time=20', ...args])
    return stdout
  }
  const short = async (...args: readonly string[]) => (await dig('+short', ...args)).trim()
  return {
    plane,
    figures,
    health,
    logged,
    dig,
    short,
    rewrite: (more: string) => (source.text = corefile(url, more)),
  }
}

test('dig is sent to the nearest node of the subnet that it names, and told how far that holds', async (t) => {
  const { dig, short } = await steeredDns(t)
  const london = await dig('cdn.example.org', '+subnet=81.2.3.0/24')
  assert.match(london, /status: NOERROR/)
  assert.match(london, /flags: qr aa/)
  assert.match(london, /cdn\.example\.org\.\s+30\s+IN\s+A\s+192\.0\.2\.2/)
  assert.match(london, /CLIENT-SUBNET: 81\.2\.3\.0\/24\/8/)
  assert.match(await dig('cdn.example.org', '+subnet=2a00:1::/48'), /CLIENT-SUBNET: 2a00:1::\/48\/16/)
  assert.equal(await short('cdn.example.org', '+subnet=200.1.1.1'), '192.0.2.1')
  assert.equal(await short('cdn.example.org', '+subnet=200.9.1.1'), '192.0.2.2')
  assert.equal(await short('cdn.example.org', 'AAAA', '+subnet=200.1.1.1'), '2001:db8::1')
  const none = await dig('cdn.example.org', 'AAAA', '+subnet=81.2.3.0/24')
  assert.match(none, /status: NOERROR.*\n.*ANSWER: 0, AUTHORITY: 1/)
  assert.match(none, /IN\s+SOA/)
  // Nothing told: who asks counts, and nobody knows where 127.0.0.1 is.
  assert.match(await dig('cdn.example.org', '+subnet=0'), /CLIENT-SUBNET: 0(?:\.0\.0\.0)?\/0\/0/)
  assert.match(await dig('cdn.example.org', '+ednsopt=8:00011800CB00'), /status: FORMERR/)
})

test('a choice goes over TCP too, and what went wrong is told by whom', async (t) => {
  const { plane, dig, rewrite } = await steeredDns(t)
  assert.match(await dig('cdn.example.org', '+tcp', '+subnet=81.2.3.0/24'), /192\.0\.2\.2/)
  rewrite('all-down closed')
  await plane.reload()
  for (const node of ['gru1', 'lhr1']) plane.steering[0]!.force(node, 'down')
  const closed = await dig('cdn.example.org', '+subnet=81.2.3.0/24')
  assert.match(closed, /status: SERVFAIL/)
  assert.match(closed, /EDE: 0 \(Other\): \(.*edge: no node is up/)
})

test('the apex of a zone has steered addresses beside what its file has', async (t) => {
  const { dig, short } = await steeredDns(t)
  assert.equal(await short('example.org', '+subnet=81.2.3.0/24'), '192.0.2.2')
  assert.equal(await short('example.org', 'NS'), 'ns1.example.org.')
  assert.equal(await short('example.org', 'MX'), '10 mail.example.org.')
  assert.match(await short('example.org', 'SOA'), /^ns1\.example\.org\. hostmaster\.example\.org\. 7 /)
  assert.equal(await short('mail.example.org'), '192.0.2.25')
  // The zone's own SOA, for as long as it says that what is not there may be remembered.
  for (const question of [
    ['cdn.example.org', 'MX'],
    ['example.org', 'AAAA', '+subnet=81.2.3.0/24'],
  ]) {
    const nothing = await dig(...question)
    assert.match(nothing, /status: NOERROR.*\n.*ANSWER: 0, AUTHORITY: 1/)
    assert.match(nothing, /example\.org\.\s+60\s+IN\s+SOA\s+ns1\.example\.org\. \S+ 7 /)
  }
  assert.match(await dig('other.example.org'), /status: NXDOMAIN/)
})

test('a node whose probe fails gets no clients, and the explanation says so', async (t) => {
  const { health, short, figures, logged } = await steeredDns(t)
  const london = () => short('cdn.example.org', '+subnet=81.2.3.0/24')
  assert.equal(await london(), '192.0.2.2')
  health.status = 503
  await eventually(async () => (await london()) === '192.0.2.1')
  const explained = await short('TXT', '_steer.cdn.example.org', '+subnet=81.2.3.0/24')
  assert.match(explained, /^"client 81\.2\.3\.0\/24, from its client subnet" "place country GB, continent EU/)
  assert.match(explained, /"up: gru1\\?; without lhr1 \(its probe failed: status 503\)"/)
  assert.match(explained, /"chosen gru1, for \/\d+"$/)
  assert.ok(logged.includes('info edge: node lhr1 is down: its probe failed: status 503'))
  assert.match(figures.text(), /orla_dns_edge_node_up\{name="cdn\.example\.org\.",node="lhr1"\} 0$/m)
  health.status = 200
  await eventually(async () => (await london()) === '192.0.2.2')
})

test('a reload changes what is configured, and keeps what is known', async (t) => {
  const { plane, dig, short, rewrite } = await steeredDns(t)
  assert.equal(plane.steering[0]!.force('lhr1', 'down'), true)
  assert.equal(await short('cdn.example.org', '+subnet=81.2.3.0/24'), '192.0.2.1')
  rewrite('ttl 7')
  await plane.reload()
  assert.match(await dig('cdn.example.org', '+subnet=81.2.3.0/24'), /\s7\s+IN\s+A\s+192\.0\.2\.1/)
  assert.deepEqual(plane.steering[0]!.explain('81.2.3.4')!.steps[0]!.removed, [
    { node: 'lhr1', why: 'set down by hand' },
  ])
  assert.deepEqual(
    plane.explain('CDN.example.org', '81.2.0.0/16').map(({ client, chosen }) => [client, chosen]),
    [['81.2.0.0/16', ['gru1']]],
  )
  assert.deepEqual([plane.explain('mail.example.org', '81.2.3.4'), plane.explain('..', 'x')], [[], []])
  rewrite('ttl soon')
  await assert.rejects(plane.reload(), /ttl needs a number of seconds/)
  plane.steering[0]!.force('lhr1', undefined)
  assert.match(await dig('cdn.example.org', '+subnet=81.2.3.0/24'), /\s7\s+IN\s+A\s+192\.0\.2\.2/)
})
