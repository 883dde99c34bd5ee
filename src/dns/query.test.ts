/** A query that lives on after its answer, and one of the server itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OPTION, TYPE } from '../wire/dns/codes.ts'
import { readOptions } from '../wire/dns/edns.ts'
import { DnsName } from '../wire/dns/name.ts'
import { queryFor } from '../plugins/dns/testing/block.ts'
import { ownQuery, ServerQuery } from './query.ts'

test('a detached query is what it was, whatever becomes of the memory that it came in', () => {
  const data = Buffer.from([0, 1, 24, 0, 192, 0, 2])
  const first = queryFor('www.example.org', 'A', {
    ip: '192.0.2.7',
    edns: { options: [{ code: OPTION.CLIENT_SUBNET, data }] },
  })
  const { bytes } = first
  // As the reader of packets has it: options are parts of the packet.
  const options = readOptions(bytes, bytes.length - data.length - 4, bytes.length)!
  const state = { ip: '192.0.2.7' }
  const peer = { ...first.peer, ip: () => state.ip }
  const query = new ServerQuery({ ...first.asked, edns: { ...first.asked.edns!, options } }, peer, bytes, 1)
  query.explain('other', 'of the first')
  const detached = query.detached()
  bytes.fill(0xff)
  state.ip = '198.51.100.1'
  assert.equal(detached.message.question[0]!.name.toString(), 'www.example.org.')
  assert.deepEqual([...detached.edns!.options[0]!.data], [...Buffer.from([0, 1, 24, 0, 192, 0, 2])])
  assert.equal(detached.ip(), '192.0.2.7')
  detached.isForClientAlone = true
  assert.equal(query.isForClientAlone, false)
  assert.deepEqual(detached.explanations, [])
})

test('a detached query keeps what was changed on its way', () => {
  const query = queryFor('www.example.org').with({ name: DnsName.parse('other.example.org'), type: TYPE.MX })
  const detached = query.detached()
  assert.equal(detached.name(), 'other.example.org.')
  assert.equal(detached.message.question[0]!.name.toString(), 'other.example.org.')
  assert.equal(detached.qtype, TYPE.MX)
})

test('the server asks itself as a client on this machine would', () => {
  const query = ownQuery(DnsName.parse('probe.example.org'), TYPE.HINFO, 5)
  assert.equal(query.message.question[0]!.type, TYPE.HINFO)
  assert.equal(query.ip(), '127.0.0.1')
  assert.equal(query.reply().question[0]!.name.toString(), 'probe.example.org.')
})
