/** What the cache keeps, for how long, and for whom. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { DnsOutcome, DnsPlugin, DnsQuery } from '../../../contract/dns.ts'
import { OPTION, RCODE, TYPE } from '../../../wire/dns/codes.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import { DnsName } from '../../../wire/dns/name.ts'
import { DnsRecord } from '../../../wire/dns/record.ts'
import { blockOf } from '../testing/block.ts'
import cache from './plugin.ts'

const ADDRESS = Buffer.from([192, 0, 2, 1])
const SOA = Buffer.concat([
  Buffer.from('\x01a\0\x01b\0', 'latin1'),
  Buffer.alloc(16),
  Buffer.from([0, 0, 0, 60]),
])

/** A, with that many seconds to hold. */
const found = (query: DnsQuery, ttl = 300): DnsMessage => {
  const answer = query.reply()
  answer.answer.push(new DnsRecord(query.qname, TYPE.A, ttl, ADDRESS))
  return answer
}
const missing = (query: DnsQuery, rcode: number = RCODE.NXDOMAIN): DnsMessage => {
  const answer = query.reply(rcode)
  answer.authority.push(new DnsRecord(DnsName.parse('example.org'), TYPE.SOA, 900, SOA))
  return answer
}

/** A cache in front of what answers as `behind` says. */
async function cacheOf(
  t: TestContext,
  text: string,
  behind: (query: DnsQuery) => DnsOutcome | Promise<DnsOutcome>,
) {
  const world = { nowMs: 1000, asked: 0, behind }
  const origin: DnsPlugin = {
    name: 'origin',
    setup: () => ({
      handle: (query) => {
        world.asked += 1
        return world.behind(query)
      },
    }),
  }
  const block = await blockOf(t, `${text}\norigin`, {
    plugins: [cache, origin],
    host: { steadyNow: () => world.nowMs },
  })
  return { ...block, world }
}

test('an answer is asked for once, and its TTLs go down', async (t) => {
  const { answer, world } = await cacheOf(t, 'cache', (query) => found(query))
  const first = await answer('www.example.org')
  assert.equal(first.answer[0]!.ttl, 300)
  world.nowMs += 100_500
  const second = await answer('WWW.example.org')
  assert.equal(second.answer[0]!.ttl, 200)
  assert.equal(second.question[0]!.name.toString(), 'WWW.example.org.')
  assert.equal(world.asked, 1)
  world.nowMs += 199_499
  assert.equal((await answer('www.example.org')).answer[0]!.ttl, 1)
  world.nowMs += 1
  assert.equal((await answer('www.example.org')).answer[0]!.ttl, 300)
  assert.equal(world.asked, 2)
})

test('TTLs are held within the bounds of the Corefile, and need not go down', async (t) => {
  const capped = await cacheOf(t, 'cache 20', (query) => found(query))
  assert.equal((await capped.answer('www.example.org')).answer[0]!.ttl, 20)
  capped.world.nowMs += 20_000
  await capped.answer('www.example.org')
  assert.equal(capped.world.asked, 2)
  const raised = await cacheOf(t, 'cache {\nsuccess 100 3600 30\n}', (query) => found(query, 1))
  assert.equal((await raised.answer('www.example.org')).answer[0]!.ttl, 30)
  const kept = await cacheOf(t, 'cache {\nkeepttl\n}', (query) => found(query))
  await kept.answer('www.example.org')
  kept.world.nowMs += 100_000
  assert.equal((await kept.answer('www.example.org')).answer[0]!.ttl, 300)
  assert.equal(kept.world.asked, 1)
})

test('that a name or a type does not exist is kept as long as the SOA says', async (t) => {
  for (const rcode of [RCODE.NXDOMAIN, RCODE.NOERROR]) {
    const { answer, world } = await cacheOf(t, 'cache', (query) => missing(query, rcode))
    await answer('no.example.org')
    world.nowMs += 59_000
    assert.equal((await answer('no.example.org')).rcode, rcode)
    assert.equal(world.asked, 1)
    world.nowMs += 1000
    await answer('no.example.org')
    assert.equal(world.asked, 2)
  }
})

test('types, DO, CD, RD and the part of the network have answers of their own', async (t) => {
  const { ask, world } = await cacheOf(t, 'cache', (query) => found(query))
  const subnet = { code: OPTION.CLIENT_SUBNET, data: Buffer.from([0, 1, 24, 0, 192, 0, 2]) }
  for (let round = 0; round < 2; round++) {
    await ask('www.example.org')
    await ask('www.example.org', 'MX')
    await ask('www.example.org', 'A', { edns: { isDo: true } })
    await ask('www.example.org', 'A', { isRecursionDesired: false })
    await ask('www.example.org', 'A', { edns: { options: [subnet] } })
    await ask('www.example.org', 'A', { edns: {} })
  }
  assert.equal(world.asked, 5)
})

const NOT_KEPT: readonly (readonly [string, (query: DnsQuery) => DnsOutcome])[] = [
  ['what is for the client alone', (query) => ((query.isForClientAlone = true), found(query))],
  ['what is truncated', (query) => Object.assign(found(query), { isTruncated: true })],
  [
    'what is for a part of the network',
    (query) => {
      const answer = found(query)
      const options = [{ code: OPTION.CLIENT_SUBNET, data: Buffer.from([0, 1, 24, 24, 192, 0, 2]) }]
      answer.edns = { udpSize: 1232, version: 0, isDo: false, options }
      return answer
    },
  ],
  ['REFUSED', (query) => query.reply(RCODE.REFUSED)],
  ['that nobody answers', () => RCODE.REFUSED],
  ['that a name does not exist where nobody says for how long', (query) => query.reply(RCODE.NXDOMAIN)],
  [
    'the answer to another question',
    (query) => {
      const answer = found(query)
      answer.question = [{ name: DnsName.parse('other.example.org'), type: 1, class: 1 }]
      return answer
    },
  ],
]
for (const [what, behind] of NOT_KEPT)
  test(`not kept: ${what}`, async (t) => {
    const { ask, world } = await cacheOf(t, 'cache', behind)
    await ask('www.example.org')
    await ask('www.example.org')
    assert.equal(world.asked, 2)
    const late = await cacheOf(t, 'cache', async (query) => {
      await Promise.resolve()
      return behind(query)
    })
    await Promise.all([late.ask('www.example.org'), late.ask('www.example.org')])
    assert.equal(late.world.asked, 2, 'each asks for itself')
  })

test('other classes, transfers and other zones pass by; so do kinds that are switched off', async (t) => {
  const { ask, world } = await cacheOf(
    t,
    'cache a.example.org {\ndisable denial no.a.example.org\n}',
    (query) => (query.qname.firstLabel === 'no' ? missing(query) : found(query)),
  )
  for (let round = 0; round < 2; round++) {
    await ask('b.example.org')
    await ask('a.example.org', 'A', { class: 3 })
    await ask('a.example.org', 'AXFR')
    await ask('no.a.example.org')
  }
  assert.equal(world.asked, 8)
  await ask('no.b.a.example.org')
  await ask('no.b.a.example.org')
  assert.equal(world.asked, 9)
})

test('a thousand who ask for the same at once are one question behind', async (t) => {
  const { answer, world } = await cacheOf(t, 'cache', async (query) => {
    await new Promise((resolve) => void setImmediate(resolve))
    return found(query)
  })
  const answers = await Promise.all(
    Array.from({ length: 1000 }, (_, index) => answer(index % 2 ? 'www.example.org' : 'wWw.example.org')),
  )
  assert.equal(world.asked, 1)
  assert.equal(answers[0]!.question[0]!.name.toString(), 'wWw.example.org.')
  assert.equal(answers[1]!.question[0]!.name.toString(), 'www.example.org.')
})

test('who asks later does not wait for what hangs', async (t) => {
  const { answer, ask, world } = await cacheOf(t, 'cache', () => new Promise(() => undefined))
  void ask('www.example.org')
  void ask('www.example.org')
  assert.equal(world.asked, 1)
  world.nowMs += 5001
  world.behind = async (query) => found(query)
  assert.equal((await answer('www.example.org')).answer.length, 1)
  assert.equal((await answer('www.example.org')).answer.length, 1)
  assert.equal(world.asked, 2)
})

test('a failure is kept for `servfail`, with what was said of it', async (t) => {
  const { ask, world } = await cacheOf(t, 'cache {\nservfail 10s\n}', (query) => {
    query.explain('network error', 'forward: 192.0.2.1:53: no answer in time')
    return RCODE.SERVFAIL
  })
  assert.equal(await ask('www.example.org'), RCODE.SERVFAIL)
  world.nowMs += 9000
  assert.equal(await ask('www.example.org'), RCODE.SERVFAIL)
  assert.equal(world.asked, 1)
  world.nowMs += 1000
  await ask('www.example.org')
  assert.equal(world.asked, 2)
  const off = await cacheOf(t, 'cache {\nservfail 0\n}', () => RCODE.SERVFAIL)
  await off.ask('www.example.org')
  await off.ask('www.example.org')
  assert.equal(off.world.asked, 2)
})

test('what is out of date is served with TTL 0 while a newer answer is fetched aside', async (t) => {
  const { answer, world, figures } = await cacheOf(t, 'cache {\nserve_stale 1h\n}', (query) =>
    found(query, 10),
  )
  await answer('www.example.org')
  world.nowMs += 60_000
  world.behind = async (query) => {
    await Promise.resolve()
    return found(query, 20)
  }
  const stale = await answer('www.example.org')
  assert.equal(stale.answer[0]!.ttl, 0)
  await new Promise((resolve) => void setImmediate(resolve))
  assert.equal((await answer('www.example.org')).answer[0]!.ttl, 20)
  assert.equal(world.asked, 2)
  assert.match(figures.text(), /coredns_cache_served_stale_total\{[^}]*\} 1/)
})

test('what is out of date outlives a failure behind, which is not asked for each query', async (t) => {
  const { answer, ask, world } = await cacheOf(t, 'cache {\nserve_stale 1h\n}', (query) => found(query, 10))
  await answer('www.example.org')
  world.nowMs += 60_000
  world.behind = () => RCODE.SERVFAIL
  for (let round = 0; round < 10; round++) assert.equal((await answer('www.example.org')).answer[0]!.ttl, 0)
  assert.equal(world.asked, 2)
  world.nowMs += 5000
  await answer('www.example.org')
  assert.equal(world.asked, 3)
  world.nowMs += 3_600_000
  assert.equal(await ask('www.example.org'), RCODE.SERVFAIL, 'not for longer than that')
})

test('with `verify`, what is out of date is served only where nothing newer comes', async (t) => {
  const { answer, world } = await cacheOf(t, 'cache {\nserve_stale 1h verify\n}', (query) => found(query, 10))
  await answer('www.example.org')
  world.nowMs += 60_000
  world.behind = () => RCODE.SERVFAIL
  assert.equal((await answer('www.example.org')).answer[0]!.ttl, 0)
  const { asked } = world
  world.nowMs += 1000
  assert.equal((await answer('www.example.org')).answer[0]!.ttl, 0)
  assert.equal(world.asked, asked, 'not for each query')
  world.nowMs += 10_000
  world.behind = (query) => found(query, 30)
  assert.equal((await answer('www.example.org')).answer[0]!.ttl, 30)
})

test('what is asked for often is fetched before it is out of date', async (t) => {
  const { answer, world } = await cacheOf(t, 'cache {\nprefetch 3 1m 20%\n}', (query) => found(query, 100))
  await answer('www.example.org')
  world.nowMs += 50_000
  for (let round = 0; round < 3; round++) await answer('www.example.org')
  assert.equal(world.asked, 1)
  world.nowMs += 31_000
  assert.equal((await answer('www.example.org')).answer[0]!.ttl, 19)
  assert.equal(world.asked, 2)
  assert.equal((await answer('www.example.org')).answer[0]!.ttl, 100)
})

test('it holds so many answers, whatever is asked, and a giant one counts as many', async (t) => {
  const { answer, ask, world, figures } = await cacheOf(t, 'cache {\nsuccess 100\ndenial 50\n}', (query) =>
    found(query),
  )
  await answer('often.example.org')
  for (let index = 0; index < 1000; index++) {
    await answer(`n${index}.example.org`)
    await answer('often.example.org')
  }
  assert.equal(world.asked, 1001, 'what is asked for often stays')
  assert.match(figures.text(), /coredns_cache_entries\{server="",type="success",[^}]*\} 100\n/)
  assert.match(figures.text(), /coredns_cache_evictions_total\{[^}]*type="success"[^}]*\} 901\n/)
  world.behind = (query) => {
    const large = found(query)
    for (let index = 0; index < 1000; index++) large.answer.push(large.answer[0]!)
    return large
  }
  await answer('giant.example.org')
  const asked = world.asked
  await answer('giant.example.org')
  assert.equal(world.asked, asked + 1, 'it would take more than half of the room')
  await answer('often.example.org')
  assert.equal(world.asked, asked + 1, 'nothing had to leave for it')
  for (let type = 256; type < 2000; type++) await ask('types.example.org', `TYPE${type}`)
  const count = Number(
    /coredns_cache_entries\{server="",type="success",[^}]*\} (\d+)/.exec(figures.text())![1],
  )
  assert.ok(count <= 100)
})

test('AD is told to those who asked for it', async (t) => {
  const { answer } = await cacheOf(t, 'cache', (query) => Object.assign(found(query), { isAuthentic: true }))
  assert.equal((await answer('www.example.org')).isAuthentic, false)
  assert.equal((await answer('www.example.org', 'A', { edns: { isDo: true } })).isAuthentic, true)
})

test('signatures that are no longer, or not yet, in force are not kept for those who check them', async (t) => {
  const signed = (from: number, to: number) => (query: DnsQuery) => {
    const answer = found(query)
    const rdata = Buffer.alloc(40)
    rdata.writeUInt32BE(to >>> 0, 8)
    rdata.writeUInt32BE(from >>> 0, 12)
    answer.answer.push(new DnsRecord(query.qname, TYPE.RRSIG, 300, rdata))
    return answer
  }
  const now = Math.floor(Date.now() / 1000)
  for (const [from, to, asked] of [
    [now - 1000, now + 1000, 1],
    [now - 1000, now - 500, 2],
    [now + 500, now + 1000, 2],
  ] as const) {
    const { answer, world } = await cacheOf(t, 'cache', signed(from, to))
    await answer('www.example.org', 'A', { edns: { isDo: true } })
    await answer('www.example.org', 'A', { edns: { isDo: true } })
    assert.equal(world.asked, asked)
  }
})
