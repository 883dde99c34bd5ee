/** Who is answered what by `edge`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RCODE, TYPE } from '../../../wire/dns/codes.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import { encodeMessage } from '../../../wire/dns/message-writer.ts'
import { NODES, scopeOf, steered, subnet, told } from './edge.support.ts'

const SAO_PAULO = '200.1.2.3'
const LONDON = '81.1.2.3'

test('each client gets the nearest node, with the TTL that is set, and nobody keeps it for others', async (t) => {
  const block = await steered(t, `${NODES}\nttl 20`)
  const answer = await block.answer('cdn.example.org', 'A', { ip: SAO_PAULO })
  assert.equal(told(answer), '192.0.2.1')
  assert.equal(answer.answer[0]!.ttl, 20)
  assert.ok(answer.isAuthoritative)
  assert.equal(told(await block.answer('CDN.example.ORG', 'A', { ip: LONDON })), '192.0.2.2')
  assert.equal(told(await block.answer('cdn.example.org', 'AAAA', { ip: '2001:db8::7' })), '2001:db8::1')
  // Of the network that lhr1 is said to be nearest to.
  assert.equal(told(await block.answer('cdn.example.org', 'A', { ip: '203.0.113.9' })), '192.0.2.2')
  assert.match(
    block.figures.text(),
    /orla_dns_edge_choices_total\{name="cdn\.example\.org\.",node="lhr1"\} 2/,
  )
})

test('a prefix that belongs to a node goes there', async (t) => {
  const block = await steered(t, `${NODES}\nprefix 200.1.2.0/24 lhr1`)
  assert.equal(told(await block.answer('cdn.example.org', 'A', { ip: SAO_PAULO })), '192.0.2.2')
  assert.equal(told(await block.answer('cdn.example.org', 'A', { ip: '200.1.3.3' })), '192.0.2.1')
})

test('NODATA for the other family, with the SOA of whoever has the zone', async (t) => {
  const block = await steered(t, NODES)
  const answer = await block.answer('cdn.example.org', 'AAAA', { ip: LONDON })
  assert.equal(answer.rcode, RCODE.NOERROR)
  assert.deepEqual(answer.answer, [])
  assert.equal(answer.authority[0]!.type, TYPE.SOA)
  assert.equal(answer.authority[0]!.name.toString(), 'example.org.')
  // For as long as the zone says, not for as long as its SOA lives (RFC 2308 §5).
  assert.equal(answer.authority[0]!.ttl, 60)
})

test('NODATA has a SOA of its own where nobody has the zone', async (t) => {
  const block = await steered(t, NODES, { withoutZone: true })
  for (const type of ['AAAA', 'MX']) {
    const answer = await block.answer('cdn.example.org', type, { ip: LONDON })
    assert.equal(answer.rcode, RCODE.NOERROR)
    assert.equal(answer.authority[0]!.name.toString(), 'example.org.')
    assert.equal(DnsMessage.decode(encodeMessage(answer)).authority[0]!.type, TYPE.SOA)
  }
  assert.equal(await block.ask('other.example.org', 'A'), RCODE.REFUSED)
})

test('a name that is steered is there for all types, whatever those behind say', async (t) => {
  const block = await steered(t, NODES)
  const answer = await block.answer('cdn.example.org', 'TXT', { ip: LONDON })
  assert.equal(answer.rcode, RCODE.NOERROR)
  assert.equal(answer.authority[0]!.type, TYPE.SOA)
  assert.equal((await block.answer('other.example.org', 'A')).rcode, RCODE.NXDOMAIN)
  assert.equal((await block.answer('x.cdn.example.org', 'A')).rcode, RCODE.NXDOMAIN)
  // Another class is none of ours.
  assert.equal((await block.answer('cdn.example.org', 'A', { class: 3 })).rcode, RCODE.NXDOMAIN)
})

test("at the apex of a zone addresses are steered, and all else is the zone's", async (t) => {
  const block = await steered(t, NODES, { names: 'example.org' })
  assert.equal(told(await block.answer('example.org', 'A', { ip: LONDON })), '192.0.2.2')
  assert.equal((await block.answer('example.org', 'SOA')).answer[0]!.type, TYPE.SOA)
  assert.equal((await block.answer('example.org', 'MX')).answer[0]!.type, TYPE.MX)
  assert.equal((await block.answer('example.org', 'AAAA', { ip: LONDON })).authority[0]!.type, TYPE.SOA)
})

test('all names below one are steered, and answered with their own name', async (t) => {
  const block = await steered(t, NODES, { names: '*.cdn.example.org' })
  const answer = await block.answer('a.b.cdn.example.org', 'A', { ip: LONDON })
  assert.equal(told(answer), '192.0.2.2')
  assert.equal(answer.answer[0]!.name.toString(), 'a.b.cdn.example.org.')
  assert.equal((await block.answer('cdn.example.org', 'A', { ip: LONDON })).rcode, RCODE.NXDOMAIN)
})

test('ANY is answered with addresses of one family', async (t) => {
  const block = await steered(t, NODES)
  assert.equal(told(await block.answer('cdn.example.org', 'ANY', { ip: SAO_PAULO })), '192.0.2.1')
})

test('a node may be another name, for all types, followed where we have it', async (t) => {
  const block = await steered(
    t,
    `${NODES}\ncname lhr1 lhr1.cdn.example.net\nnode own 192.0.2.3\ncname own inner.example.org\nforce own down`,
  )
  for (const type of ['A', 'AAAA', 'TXT', 'CNAME']) {
    const answer = await block.answer('cdn.example.org', type, { ip: LONDON })
    assert.equal(told(answer), 'lhr1.cdn.example.net.', type)
  }
  assert.equal(told(await block.answer('cdn.example.org', 'A', { ip: SAO_PAULO })), '192.0.2.1')
  const other = await steered(t, 'node own {\ncname www.example.org\n}', {
    names: 'cdn.example.org',
  })
  assert.equal(told(await other.answer('cdn.example.org', 'A')), 'www.example.org.')
})

test('what a CNAME leads to is answered where it is steered, too', async (t) => {
  const block = await steered(
    t,
    'node own {\ncname www.example.org\n}\n}\nedge www.example.org {\nnode a 192.0.2.7',
  )
  assert.equal(told(await block.answer('cdn.example.org', 'A')), 'www.example.org. 192.0.2.7')
})

test('several nodes are answered in their order', async (t) => {
  const block = await steered(t, `${NODES}\nfilters up nearest first 2`)
  assert.equal(told(await block.answer('cdn.example.org', 'A', { ip: LONDON })), '192.0.2.2 192.0.2.1')
  assert.equal(told(await block.answer('cdn.example.org', 'A', { ip: SAO_PAULO })), '192.0.2.1 192.0.2.2')
  // lhr1 has no address of IPv6, the other one does.
  assert.equal(told(await block.answer('cdn.example.org', 'AAAA', { ip: LONDON })), '2001:db8::1')
})

test('where no node is left: open answers, closed fails, a fence is told of', async (t) => {
  const down = (allDown: string) => `${NODES}\nforce gru1 down\nall-down ${allDown}`
  const fenced = `${NODES}\ngeofence gru1 BR\ngeofence lhr1 BR`
  const open = await steered(t, `${NODES}\nforce gru1 down\nforce lhr1 drain`)
  assert.equal(told(await open.answer('cdn.example.org', 'A', { ip: SAO_PAULO })), '192.0.2.2')
  const closed = await steered(t, `${down('closed')}\nforce lhr1 down`)
  assert.equal(await closed.ask('cdn.example.org', 'A', { ip: SAO_PAULO }), RCODE.SERVFAIL)
  const nobody = await steered(t, fenced)
  const answer = await nobody.answer('cdn.example.org', 'A', { ip: LONDON })
  assert.deepEqual([answer.rcode, told(answer)], [RCODE.NOERROR, ''])
  assert.match(nobody.figures.text(), /orla_dns_edge_without_node_total\{.*outcome="nobody"\} 1/)
})

test('a client subnet counts where it is believed, and its scope is what the answer hangs on', async (t) => {
  const block = await steered(t, `${NODES}\necs allow 10.0.0.0/8 2001:db8:53::/48`)
  const asked = (prefix: string, ip = '10.0.0.53') =>
    block.answer('cdn.example.org', 'A', { ip, edns: subnet(prefix) })
  const london = await asked('81.1.2.0/24')
  assert.equal(told(london), '192.0.2.2')
  assert.equal(scopeOf(london), 8)
  const echoed = london.edns!.options[0]!.data
  assert.equal(echoed.toString('hex'), '00011808510102')
  assert.equal(told(await asked('200.1.2.0/24')), '192.0.2.1')
  assert.equal(scopeOf(await asked('200.1.2.0/24')), 8)
  assert.equal(told(await asked('2001:db8:7::/48')), '192.0.2.1')
  assert.equal(scopeOf(await asked('2001:db8:7::/48')), 32)
  // Shorter than what counts: the answer says that more would be asked for.
  assert.equal(scopeOf(await asked('200.0.0.0/7')), 8)
  // Nobody knows where that is: both are as near, so the client's own prefix counts.
  assert.equal(scopeOf(await asked('9.9.9.0/24')), 24)
  // Of one who is not believed, the option is not even answered.
  const other = await asked('81.1.2.0/24', SAO_PAULO)
  assert.equal(told(other), '192.0.2.1')
  assert.equal(scopeOf(other), undefined)
})

test('a client that wants nothing told of it is answered by who asks, for all', async (t) => {
  const block = await steered(t, `${NODES}\necs any`)
  for (const [prefix, data] of [
    ['0.0.0.0/0', '00010000'],
    ['::/0', '00020000'],
  ] as const) {
    const answer = await block.answer('cdn.example.org', 'A', { ip: LONDON, edns: subnet(prefix) })
    assert.equal(told(answer), '192.0.2.2')
    assert.equal(answer.edns!.options[0]!.data.toString('hex'), data)
  }
})

test('a malformed client subnet is FORMERR, where client subnets count at all', async (t) => {
  const malformed = { options: [{ code: 8, data: Buffer.from('00011800cb00', 'hex') }] }
  const believing = await steered(t, `${NODES}\necs any`)
  const asked = { ip: LONDON, edns: malformed }
  assert.equal(await believing.ask('cdn.example.org', 'A', asked), RCODE.FORMERR)
  const other = await steered(t, NODES)
  assert.equal(told(await other.answer('cdn.example.org', 'A', asked)), '192.0.2.2')
})

test('a NODATA answer has the scope that it hangs on', async (t) => {
  const block = await steered(t, `${NODES}\necs any`)
  const answer = await block.answer('cdn.example.org', 'AAAA', { ip: LONDON, edns: subnet('81.1.2.0/24') })
  assert.equal(told(answer), '')
  assert.equal(scopeOf(answer), 8)
})

const text = ({ answer }: DnsMessage): string => {
  const { rdata } = answer[0]!
  const lines: string[] = []
  for (let at = 0; at < rdata.length; at += 1 + rdata[at]!)
    lines.push(rdata.toString('utf8', at + 1, at + 1 + rdata[at]!))
  return lines.join('\n')
}

test('TXT _steer explains a choice to those near, and to nobody else', async (t) => {
  const block = await steered(t, `${NODES}\nforce lhr1 down`)
  const edns = subnet('81.1.2.0/24')
  const answer = await block.answer('_steer.cdn.example.org', 'TXT', { ip: '127.0.0.1', edns })
  assert.equal(
    text(answer),
    [
      'client 81.1.2.0/24, from its client subnet',
      'place country GB, continent EU, latitude 51.5, longitude -0.1',
      'up: gru1; without lhr1 (set down by configuration)',
      'geofence: gru1',
      'priority: gru1',
      'nearest: gru1',
      'load: gru1',
      'weight: gru1',
      'first 1: gru1',
      'chosen gru1, for /8',
    ].join('\n'),
  )
  const own = await block.answer('_steer.cdn.example.org', 'TXT', { ip: '10.0.0.7' })
  assert.match(text(own), /^client 10\.0\.0\.7, who asks\nplace unknown\n/)
  assert.equal(await block.ask('_steer.cdn.example.org', 'TXT', { ip: LONDON }), RCODE.REFUSED)
  assert.equal(told(await block.answer('_steer.cdn.example.org', 'A', { ip: '127.0.0.1' })), '')
  assert.equal((await block.answer('_steer.other.example.org', 'TXT')).rcode, RCODE.NXDOMAIN)
})
