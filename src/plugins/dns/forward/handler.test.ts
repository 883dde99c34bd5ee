/** Queries asked of other servers: which one, over what, and what becomes of those that do not answer. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { eventually } from '../../../../test/harness/eventually.ts'
import { DROPPED, type DnsPlugin } from '../../../contract/dns.ts'
import {
  answerTo,
  faultServer,
  framed,
  type FaultServerOptions,
} from '../../../upstream/testing/fault-server.ts'
import { OPTION, RCODE } from '../../../wire/dns/codes.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import { DnsName } from '../../../wire/dns/name.ts'
import { DnsRecord } from '../../../wire/dns/record.ts'
import { blockOf, queryFor } from '../testing/block.ts'
import forward from './plugin.ts'

/** A server that answers well, over UDP and TCP, and remembers what it was asked. */
async function goodServer(
  t: TestContext,
  change: (answer: DnsMessage) => void = () => undefined,
  more: FaultServerOptions = {},
) {
  const seen: { readonly proto: string; readonly query: DnsMessage }[] = []
  const note = (proto: string, query: Buffer) => void seen.push({ proto, query: DnsMessage.decode(query) })
  const server = await faultServer(t, {
    onPacket: (query, send) => (note('udp', query), send(answerTo(query, change))),
    onFrame: (query, socket) => (note('tcp', query), void socket.write(framed(answerTo(query, change)))),
    ...more,
  })
  return { ...server, seen }
}

const forwardTo = (t: TestContext, text: string, more: readonly DnsPlugin[] = []) =>
  blockOf(t, text, { plugins: [forward, ...more] })

test('a query comes to the server over what it came in by, without what was for us alone', async (t) => {
  const server = await goodServer(t)
  const { answer } = await forwardTo(t, `forward . ${server.address}`)
  const options = [OPTION.COOKIE, OPTION.CLIENT_SUBNET, OPTION.PADDING].map((code) => ({
    code,
    data: Buffer.from([0, 1, 24, 0, 192, 0, 2, 0]),
  }))
  const good = await answer('WWW.example.org', 'A', { edns: { isDo: true, udpSize: 4096, options } })
  assert.equal(good.id, 4711)
  assert.equal(good.question[0]!.name.toString(), 'WWW.example.org.')
  assert.equal(good.answer.length, 1)
  await answer('www.example.org', 'A', { isTcp: true })
  assert.deepEqual(
    server.seen.map(({ proto }) => proto),
    ['udp', 'tcp'],
  )
  const { edns, isRecursionDesired } = server.seen[0]!.query
  assert.deepEqual(
    edns!.options.map(({ code }) => code),
    [OPTION.CLIENT_SUBNET],
  )
  assert.equal(edns!.udpSize, 1232)
  assert.equal(edns!.isDo, true)
  assert.equal(isRecursionDesired, true)
  assert.equal(server.seen[1]!.query.edns, undefined)
})

test('TCP can be forced, and UDP preferred: then what is truncated comes over TCP', async (t) => {
  const server = await goodServer(t, undefined, {
    onPacket: (query, send) =>
      send(answerTo(query, (answer) => Object.assign(answer, { isTruncated: true, answer: [] }))),
  })
  const forced = await forwardTo(t, `forward . ${server.address} {\nforce_tcp\n}`)
  assert.equal((await forced.answer('www.example.org')).answer.length, 1)
  const preferred = await forwardTo(t, `forward . ${server.address} {\nprefer_udp\n}`)
  const whole = await preferred.answer('www.example.org', 'A', { isTcp: true })
  assert.equal(whole.isTruncated, false)
  assert.equal(whole.answer.length, 1)
  const plain = await forwardTo(t, `forward . ${server.address}`)
  assert.equal((await plain.answer('www.example.org')).isTruncated, true)
})

test('names outside and excepted names go on; several lines are asked in their order', async (t) => {
  const one = await goodServer(t)
  const two = await goodServer(t)
  const end: DnsPlugin = { name: 'end', setup: () => ({ handle: () => DROPPED }) }
  const { ask } = await forwardTo(
    t,
    `forward a.example.org ${one.address} {\nexcept no.a.example.org\n}\nforward b.example.org ${two.address}\nend`,
    [end],
  )
  assert.ok((await ask('www.a.example.org')) instanceof DnsMessage)
  assert.ok((await ask('www.b.example.org')) instanceof DnsMessage)
  assert.equal(await ask('no.a.example.org'), DROPPED)
  assert.equal(await ask('c.example.org'), DROPPED)
  assert.equal(await ask('a.example.org', 'AXFR'), DROPPED)
  assert.deepEqual([one.seen.length, two.seen.length], [1, 1])
})

test('with `next`, the next line is asked for what the first does not know', async (t) => {
  const one = await goodServer(t, (answer) => Object.assign(answer, { rcode: RCODE.NXDOMAIN, answer: [] }))
  const two = await goodServer(t)
  const { answer } = await forwardTo(
    t,
    `forward . ${one.address} {\nnext NXDOMAIN\n}\nforward . ${two.address}`,
  )
  assert.equal((await answer('www.example.org')).rcode, RCODE.NOERROR)
  const last = await forwardTo(t, `forward . ${one.address} {\nnext NXDOMAIN\n}`)
  assert.equal((await last.answer('www.example.org')).rcode, RCODE.NXDOMAIN)
})

test('with `next_on_nodata`, the next line is asked where there is no such type', async (t) => {
  const one = await goodServer(t, (answer) => Object.assign(answer, { answer: [] }))
  const two = await goodServer(t)
  const { answer } = await forwardTo(
    t,
    `forward . ${one.address} {\nnext_on_nodata\n}\nforward . ${two.address}`,
  )
  assert.equal((await answer('www.example.org')).answer.length, 1)
})

test('with `max_idle_conns`, there are no more connections than that', async (t) => {
  const server = await goodServer(t)
  const { answer } = await forwardTo(t, `forward . ${server.address} {\nforce_tcp\nmax_idle_conns 2\n}`)
  await Promise.all(Array.from({ length: 100 }, () => answer('www.example.org')))
  assert.equal(server.connections.size, 2)
})

test('with `failover`, the next server is asked, and the last answer is given where all fail', async (t) => {
  const one = await goodServer(t, (answer) => Object.assign(answer, { rcode: RCODE.SERVFAIL, answer: [] }))
  const two = await goodServer(t)
  const text = (to: string) => `forward . ${to} {\npolicy sequential\nfailover SERVFAIL\n}`
  const { answer } = await forwardTo(t, text(`${one.address} ${two.address}`))
  assert.equal((await answer('www.example.org')).rcode, RCODE.NOERROR)
  const all = await forwardTo(t, text(one.address))
  assert.equal((await all.answer('www.example.org')).rcode, RCODE.SERVFAIL)
  assert.equal(one.seen.length, 2)
})

test('a server that is gone is passed over after some probes, and used again when it answers', async (t) => {
  let isSilent = true
  const asked: string[] = []
  const sick = await faultServer(t, {
    onPacket: (query, send) => {
      const { name, type } = DnsMessage.decode(query).question[0]!
      asked.push(`${name.toString()} ${type}`)
      if (!isSilent) send(answerTo(query))
    },
  })
  const good = await goodServer(t)
  const { answer, figures } = await forwardTo(
    t,
    `forward . ${sick.address} ${good.address} {\npolicy sequential\nhealth_check 10ms domain probe.example.org\nmax_fails 1\n}`,
  )
  assert.equal((await answer('one.example.org')).answer.length, 1)
  await eventually(() => Number(/healthcheck_failures_total\{[^}]*\} (\d+)/.exec(figures.text())?.[1]) >= 2)
  const before = asked.filter((one) => one === 'two.example.org. 1').length
  await answer('two.example.org')
  assert.equal(asked.filter((one) => one === 'two.example.org. 1').length, before, 'it is down')
  assert.ok(asked.includes('probe.example.org. 2'))
  isSilent = false
  await eventually(async () => {
    await answer('three.example.org')
    return asked.includes('three.example.org. 1')
  })
})

test('no server answers: SERVFAIL, and the client is told which and why', async (t) => {
  const server = await goodServer(t)
  await server.stop()
  const { ask } = await forwardTo(t, `forward . ${server.address} {\nhealth_check 10ms\nmax_fails 1\n}`)
  assert.equal(await ask('www.example.org'), RCODE.SERVFAIL)
  const query = queryFor('www.example.org')
  const handler = await forwarderOf(t, `forward . ${server.address}`)
  assert.equal(await handler(query), RCODE.SERVFAIL)
  assert.deepEqual(query.explanations, [
    { error: 'network error', text: `forward: ${server.address}: ECONNREFUSED` },
  ])
})

test('where all are down, one is asked all the same, unless that is to fail fast', async (t) => {
  const server = await goodServer(t)
  await server.stop()
  const text = (more: string) => `forward . ${server.address} {\nhealth_check 5ms\nmax_fails 1\n${more}\n}`
  for (const more of ['', 'failfast_all_unhealthy_upstreams']) {
    const { ask, figures } = await forwardTo(t, text(more))
    await ask('www.example.org')
    await eventually(() => Number(/healthcheck_failures_total\{[^}]*\} (\d+)/.exec(figures.text())?.[1]) >= 3)
    const sent = () => Number(/conn_cache_misses_total\{[^}]*\} (\d+)/.exec(figures.text())?.[1])
    assert.equal(await ask('www.example.org'), RCODE.SERVFAIL)
    assert.match(figures.text(), /coredns_forward_healthcheck_broken_total [1-9]/)
    assert.ok(sent() > 0)
  }
})

test('so many at once and no more: REFUSED', async (t) => {
  const held: (() => void)[] = []
  const server = await faultServer(t, {
    onPacket: (query, send) => void held.push(() => send(answerTo(query))),
  })
  const { ask, figures } = await forwardTo(t, `forward . ${server.address} {\nmax_concurrent 2\n}`)
  const first = [ask('a.example.org'), ask('b.example.org')]
  assert.equal(await ask('c.example.org'), RCODE.REFUSED)
  await eventually(() => held.length === 2)
  for (const send of held) send()
  for (const outcome of await Promise.all(first)) assert.ok(outcome instanceof DnsMessage)
  assert.match(figures.text(), /coredns_forward_max_concurrent_rejects_total 1\n/)
})

test('servers take turns, or are taken by chance, or in their order', async (t) => {
  const servers = [await goodServer(t), await goodServer(t), await goodServer(t)]
  const to = servers.map(({ address }) => address).join(' ')
  const shares = async (policy: string) => {
    const before = servers.map(({ seen }) => seen.length)
    const { answer } = await forwardTo(t, `forward . ${to} {\npolicy ${policy}\n}`)
    for (let index = 0; index < 60; index++) await answer('www.example.org')
    return servers.map(({ seen }, index) => seen.length - before[index]!)
  }
  assert.deepEqual(await shares('round_robin'), [20, 20, 20])
  assert.deepEqual(await shares('sequential'), [60, 0, 0])
  assert.ok((await shares('random')).every((share) => share > 3))
})

test('an answer with a loop of CNAMEs is handed on as it is', async (t) => {
  const [a, b] = [DnsName.parse('a.example.org'), DnsName.parse('b.example.org')]
  const server = await goodServer(t, (answer) => {
    answer.answer = [
      new DnsRecord(a, 5, 60, Buffer.from(b.wire, 'latin1')),
      new DnsRecord(b, 5, 60, Buffer.from(a.wire, 'latin1')),
    ]
  })
  const { answer } = await forwardTo(t, `forward . ${server.address}`)
  assert.equal((await answer('a.example.org')).answer.length, 2)
  assert.equal(server.seen.length, 1)
})

test('it counts as CoreDNS does', async (t) => {
  const server = await goodServer(t)
  const { answer, figures } = await forwardTo(t, `forward . ${server.address}`)
  for (let index = 0; index < 3; index++) await answer('www.example.org')
  const text = figures.text()
  const labels = `proxy_name="forward",to="${server.address}"`
  assert.ok(text.includes(`coredns_proxy_request_duration_seconds_count{${labels},rcode="NOERROR"} 3`), text)
  assert.match(
    text,
    /coredns_proxy_conn_cache_misses_total\{proxy_name="forward",to="[^"]+",proto="udp"\} [1-3]/,
  )
})

/** The handler alone, for a look at what it notes on the query. */
async function forwarderOf(t: TestContext, text: string) {
  const [, ...to] = text.split(' ').slice(1)
  const words = ['.', ...to].map((word) => ({ text: word, file: 'Corefile', line: 1, isQuoted: false }))
  const block = await blockOf(t, '', { plugins: [] })
  const controller = block.setup.controllerFor('forward', [
    { name: { ...words[0]!, text: 'forward' }, args: words },
  ])
  const handler = forward.setup(controller)
  t.after(() => Promise.all(block.setup.stops.map((stop) => stop())))
  return (query: ReturnType<typeof queryFor>) => handler.handle(query, () => DROPPED)
}
