import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TYPE } from './codes.ts'
import { dohQuery, freshSeconds } from './doh.ts'
import { DnsMessage } from './message.ts'
import { encodeMessage } from './message-writer.ts'
import { DnsName } from './name.ts'
import { DnsRecord } from './record.ts'

/** The query of RFC 8484 §4.1.1. */
const QUERY = Buffer.from('AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB', 'base64url')
const NOTHING = Buffer.alloc(0)
const TYPED = 'application/dns-message'

test('a query is read from the URL of a GET and from the body of a POST', () => {
  const encoded = QUERY.toString('base64url')
  assert.deepEqual(dohQuery('GET', `dns=${encoded}`, undefined, NOTHING), QUERY)
  assert.deepEqual(dohQuery('HEAD', `x=1&dns=${encoded}`, undefined, NOTHING), QUERY)
  assert.deepEqual(dohQuery('POST', '', TYPED, QUERY), QUERY)
  assert.deepEqual(dohQuery('POST', '', 'Application/DNS-Message; charset=x', QUERY), QUERY)
})

test('what holds no query is refused with its reason', () => {
  const refused: [string, string, string | undefined, Buffer, number][] = [
    ['GET', '', undefined, NOTHING, 400],
    ['GET', 'dns=', undefined, NOTHING, 400],
    ['GET', 'dns=AAAB', undefined, NOTHING, 400],
    ['GET', 'dns=%20%20', undefined, NOTHING, 400],
    ['GET', 'dns=AA+/', undefined, NOTHING, 400],
    ['GET', `dns=${'A'.repeat(90_000)}`, undefined, NOTHING, 413],
    ['POST', '', undefined, QUERY, 415],
    ['POST', '', 'text/plain', QUERY, 415],
    ['POST', '', TYPED, Buffer.alloc(11), 400],
    ['POST', '', TYPED, Buffer.alloc(65_536), 413],
    ['PUT', '', TYPED, QUERY, 405],
  ]
  for (const [method, query, type, body, status] of refused) {
    const came = dohQuery(method, query, type, body)
    assert.ok(!Buffer.isBuffer(came), `${method} ${query.slice(0, 20)}`)
    assert.equal(came.status, status, `${method} ${query.slice(0, 20)}: ${came.detail}`)
  }
})

test('an answer is fresh as long as all of its records, or as its SOA says', () => {
  const name = DnsName.parse('www.example.org')
  const soa = (ttl: number, minimum: number) => {
    const rdata = Buffer.alloc(2 + 20)
    rdata.writeUInt32BE(minimum, 18)
    return new DnsRecord(name, TYPE.SOA, ttl, rdata)
  }
  const answer = (change: (message: DnsMessage) => void): number => {
    const message = new DnsMessage()
    message.isResponse = true
    change(message)
    return freshSeconds(encodeMessage(message))
  }
  const a = (ttl: number) => new DnsRecord(name, TYPE.A, ttl, Buffer.of(192, 0, 2, 1))
  assert.equal(
    answer((message) => message.answer.push(a(60), a(30))),
    30,
  )
  assert.equal(
    answer((message) => message.authority.push(soa(300, 90))),
    90,
  )
  assert.equal(
    answer((message) => {
      message.rcode = 3
      message.answer.push(a(60))
      message.authority.push(soa(300, 900))
    }),
    60,
  )
  assert.equal(
    answer(() => undefined),
    0,
  )
  assert.equal(
    answer((message) => {
      message.rcode = 2
      message.answer.push(a(60))
    }),
    0,
  )
  assert.equal(freshSeconds(Buffer.from('rubbish')), 0)
})
