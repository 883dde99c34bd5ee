/** Plugins of the DNS plane that misbehave: each costs the queries that it is asked for, and nothing else. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rdataText } from '../../src/wire/dns/rdata-text.ts'
import { startDns } from '../harness/orla-dns.ts'

/** One that does what the first label of a name says. */
const MISBEHAVES = `
import { record } from 'orla/dns'
export default {
  name: 'bad',
  setup: () => ({
    handle(query, next) {
      const answer = query.reply()
      answer.answer.push(record(query.qname, 'A', 60, '192.0.2.1'))
      switch (query.name().split('.')[0]) {
        case 'throws': throw new Error('thrown at once')
        case 'rejects': return Promise.reject(new Error('thrown later'))
        case 'nothing': return undefined
        case 'null': return null
        case 'text': return 'an answer'
        case 'number': return 3
        case 'late-nothing': return Promise.resolve({})
        case 'hangs': return new Promise(() => undefined)
        case 'twice': {
          const both = Promise.resolve(next(query)).then(() => answer)
          void Promise.resolve(next(query))
          return both
        }
        case 'throws-after': {
          setTimeout(() => { answer.answer.length = 0 }, 0)
          return answer
        }
        case 'changes-query': {
          try { query.qname = 1 } catch {}
          return next(query)
        }
        case 'not-a-type': answer.answer.push(7); return answer
        case 'huge': {
          for (let at = 0; at < 5000; at++) answer.answer.push(record(query.qname, 'A', 60, '192.0.2.1'))
          return answer
        }
      }
      return next(query)
    },
  }),
}
`

test('whatever a plugin does, its query is answered and the next one as well', async (t) => {
  const dns = await startDns(t, {
    Corefile:
      'plugin bad ./bad.ts\n.:0 {\n  bad\n  hosts {\n    192.0.2.9 good.example twice.example\n  }\n}\n',
    'bad.ts': MISBEHAVES,
  })
  const good = async () => {
    const { answer } = await dns.ask('good.example')
    assert.deepEqual(
      answer.map(({ type, rdata }) => rdataText(type, rdata)),
      ['192.0.2.9'],
    )
  }
  const hanging = dns.ask('hangs.example')
  const failing = ['throws', 'rejects', 'nothing', 'null', 'text', 'number', 'late-nothing', 'not-a-type']
  for (const name of failing) {
    assert.equal((await dns.ask(`${name}.example`)).rcode, 2, name)
    await good()
  }
  assert.equal((await dns.ask('twice.example')).rcode, 0)
  assert.equal((await dns.ask('huge.example')).isTruncated, true)
  await dns.ask('throws-after.example')
  await good()
  assert.match(dns.stderr(), /^\[ERROR\] plugin\/bad: throws\.example\. A: thrown at once/m)
  assert.match(dns.stderr(), /^\[ERROR\] plugin\/bad: .*it returned undefined: expected a message/m)
  assert.match(dns.stderr(), /the rcode 3 without a message/)
  // It hangs no longer than ten seconds, and holds up no one meanwhile.
  assert.equal((await hanging).rcode, 2)
  dns.kill('SIGTERM')
  assert.deepEqual(await dns.ended, { code: 0, signal: null })
})
