/** What `minimal` takes off answers, and what it leaves. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DnsQuery } from '../../../contract/dns.ts'
import { answering, recordOf, withRecords } from '../testing/answering.ts'
import { blockOf } from '../testing/block.ts'
import minimal from './plugin.ts'

const NS = 'example.org. 60 IN NS ns.example.org.'
const GLUE = 'ns.example.org. 60 IN A 192.0.2.53'
const SOA = 'example.org. 60 IN SOA ns.example.org. a.example.org. 1 2 3 4 5'
const NSEC = 'example.org. 60 IN NSEC a.example.org. A'

const ROWS: readonly (readonly [
  what: string,
  rcode: number,
  answer: string[],
  authority: string[],
  left: number,
])[] = [
  ['an answer', 0, ['a.example.org. 60 IN A 192.0.2.1'], [NS], 0],
  ['a referral', 0, [], [NS], 2],
  ['nothing of the type', 0, [], [SOA], 2],
  ['a name that is not there', 3, [], [SOA], 2],
  ['a CNAME to a name that is not there', 3, ['a.example.org. 60 IN CNAME b.example.org.'], [SOA], 2],
  ['an answer with the proof of a wildcard', 0, ['a.example.org. 60 IN A 192.0.2.1'], [NSEC], 2],
]
for (const [what, rcode, records, authority, left] of ROWS)
  test(`of ${what}, ${left} records of the other sections are left`, async (t) => {
    const answers = answering((query: DnsQuery) => {
      const answer = withRecords(query, ...records)
      answer.rcode = rcode
      answer.authority = authority.map(recordOf)
      answer.additional = [recordOf(GLUE)]
      return answer
    })
    const block = await blockOf(t, 'minimal\nanswers', { plugins: [minimal, answers] })
    const answer = await block.answer('a.example.org')
    assert.equal(answer.authority.length + answer.additional.length, left)
    assert.equal(answer.answer.length, records.length)
  })
