/** What all servers do with an outcome on its way to bytes: whatever plugins do, something is sent, and little to those who may not have asked. */
import { CidrSet } from '../../base/cidr.ts'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EXTENDED_ERROR, OPTION, RCODE, TYPE } from '../../wire/dns/codes.ts'
import { DnsMessage } from '../../wire/dns/message.ts'
import { encodeMessage } from '../../wire/dns/message-writer.ts'
import { DnsName } from '../../wire/dns/name.ts'
import { DnsRecord } from '../../wire/dns/record.ts'
import { edgesOf, type Edges } from './testing/edges.ts'

const question = (cookie?: Buffer): Buffer => {
  const message = new DnsMessage()
  message.id = 77
  message.question.push({ name: DnsName.parse('www.example.org'), type: TYPE.TXT, class: 1 })
  message.edns = {
    udpSize: 1232,
    version: 0,
    isDo: false,
    options: cookie ? [{ code: OPTION.COOKIE, data: cookie }] : [],
  }
  return encodeMessage(message)
}

async function answerOf(edges: Edges, bytes = question()): Promise<DnsMessage & { readonly bytes: number }> {
  const answer = await edges.ask(bytes)
  assert.ok(answer)
  return Object.assign(DnsMessage.decode(answer), { bytes: answer.length })
}

const explained = ({ edns }: DnsMessage): { readonly code: number; readonly text: string } => {
  const { data } = edns!.options.find(({ code }) => code === OPTION.EXTENDED_ERROR)!
  return { code: data.readUInt16BE(0), text: data.toString('utf8', 2) }
}

test('who answers throws: SERVFAIL that says so, and an operator is told', async () => {
  for (const answer of [
    () => {
      throw new Error('no such country')
    },
    async () => {
      throw new Error('no such country')
    },
  ]) {
    const edges = edgesOf(answer)
    const failed = await answerOf(edges)
    assert.equal(failed.rcode, RCODE.SERVFAIL)
    assert.equal(explained(failed).text, 'server: failed')
    assert.deepEqual(edges.failures, ['who answers cannot be found: no such country'])
  }
})

test('an explanation that is none of the known ones, or no text, is sent as another one', async () => {
  const edges = edgesOf((query) => {
    query.explain('no such' as 'other', 42 as unknown as string)
    return RCODE.REFUSED
  })
  const answer = await answerOf(edges)
  assert.equal(answer.rcode, RCODE.REFUSED)
  assert.deepEqual(explained(answer), { code: EXTENDED_ERROR.other, text: 'server: 42' })
})

test('a text is cut between characters', async () => {
  const answer = await answerOf(
    edgesOf((query) => {
      query.explain('other', `x${'é'.repeat(300)}`)
      return RCODE.REFUSED
    }),
  )
  const { text } = explained(answer)
  assert.match(text, /^server: xé+$/)
  assert.ok(Buffer.byteLength(text) <= 200)
})

test('a forged address is sent no more than was asked with, whatever the outcome; it keeps its rcode, and a cookie proves it', async () => {
  for (const rcode of [RCODE.NOERROR, RCODE.NXDOMAIN, RCODE.REFUSED]) {
    const edges = edgesOf(
      (query) => {
        query.explain('prohibited', 'x'.repeat(180))
        if (rcode === RCODE.REFUSED) return rcode
        const answer = query.reply(rcode)
        answer.answer = Array.from(
          { length: 8 },
          () => new DnsRecord(query.qname, TYPE.TXT, 60, Buffer.alloc(100, 99)),
        )
        return answer
      },
      { amplification: { bytesPerSecond: 1, prefixes: { v4: 24, v6: 56 }, exempt: new CidrSet([]) } },
    )
    const asked = question(Buffer.from('00112233'))
    await edges.ask(asked)
    const answer = await answerOf(edges, asked)
    assert.equal(answer.isTruncated, true)
    assert.equal(answer.rcode, rcode)
    assert.deepEqual(
      answer.edns!.options.map(({ code }) => code),
      [OPTION.COOKIE],
    )
    assert.ok(answer.bytes <= asked.length + 16, `${answer.bytes} bytes`)
    assert.deepEqual(edges.counted.at(-1), { rcode, bytes: answer.bytes })
    const proven = await answerOf(edges, question(answer.edns!.options[0]!.data))
    assert.equal(proven.isTruncated, false)
  }
})

test('what was asked stays what it was while its answer is on its way, whatever comes into the memory of its packet', async () => {
  let options: readonly Buffer[] = []
  const edges = edgesOf(async (query) => {
    const { message } = query
    await undefined
    options = [message.edns!, query.edns!, query.with({ type: TYPE.A }).message.edns!].map(
      (edns) => edns.options[0]!.data,
    )
    return query.reply()
  })
  const cookie = Buffer.from('00112233')
  await edges.ask(question(cookie))
  assert.deepEqual(options, [cookie, cookie, cookie])
})
