import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { rdataText } from '../../src/wire/dns/rdata-text.ts'
import { framed, packet } from '../harness/dns-packets.ts'
import { eventually } from '../harness/eventually.ts'
import { type RunningDns, startDns } from '../harness/orla-dns.ts'
import { freePort } from '../harness/ports.ts'

const corefile = (address: string, more = ''): string =>
  `.:0 {\n  reload 2s 1s\n  hosts {\n    ${address} a.example\n  }\n}\n${more}`

const isAnswered = async (dns: RunningDns, address: string): Promise<boolean> => {
  const { answer } = await dns.ask('a.example')
  return answer.map(({ type, rdata }) => rdataText(type, rdata)).join() === address
}

test('a Corefile that changed is served without a gap, and a faulty one changes nothing', async (t) => {
  const dns = await startDns(t, { Corefile: `import main.conf`, 'main.conf': corefile('192.0.2.1') })
  assert.ok(await isAnswered(dns, '192.0.2.1'))
  // What is imported counts as well; no query goes unanswered meanwhile.
  dns.write('main.conf', corefile('192.0.2.2'))
  await eventually(() => isAnswered(dns, '192.0.2.2'))
  dns.write('main.conf', corefile('192.0.2.3', 'b.example:0 {\n  cahce\n}\n'))
  const refused =
    /^\[ERROR\] Corefile changed but reload failed: .*main\.conf:8 - Unknown directive 'cahce'; did you mean cache\?$/m
  await eventually(() => refused.test(dns.stderr()))
  assert.ok(await isAnswered(dns, '192.0.2.2'))
  // It is put right by a signal, sooner than by looking.
  dns.write('main.conf', corefile('192.0.2.3'))
  dns.kill('SIGUSR1')
  await eventually(() => isAnswered(dns, '192.0.2.3'))
  assert.equal(dns.stderr().match(/reload failed/g)?.length, 1)
})

for (const signal of ['SIGHUP', 'SIGUSR1'] as const)
  test(`${signal} reads the Corefile again where nobody looks at it`, async (t) => {
    const corefileOf = (address: string) => `a.example:0 {\n  hosts {\n    ${address} a.example\n  }\n}\n`
    const dns = await startDns(t, { Corefile: corefileOf('192.0.2.1') })
    assert.ok(await isAnswered(dns, '192.0.2.1'))
    dns.write('Corefile', corefileOf('192.0.2.2'))
    dns.kill(signal)
    await eventually(() => isAnswered(dns, '192.0.2.2'))
  })

test('zones and sockets that are new are there after a reload, and those that are gone are refused', async (t) => {
  const dns = await startDns(t, { Corefile: 'a.example:0 {\n  hosts {\n    192.0.2.1 a.example\n  }\n}\n' })
  dns.write('Corefile', 'b.example:0 {\n  hosts {\n    192.0.2.1 b.example\n  }\n}\n')
  dns.kill('SIGHUP')
  await eventually(async () => (await dns.ask('b.example')).rcode === 0)
  assert.equal((await dns.ask('a.example')).rcode, 5)
  // Its port is taken by somebody else: nothing changes.
  dns.write('Corefile', `c.example:0 {\n  bind 203.0.113.77\n  whoami\n}\n`)
  dns.kill('SIGHUP')
  await eventually(() => /reload failed: .*203\.0\.113\.77/.test(dns.stderr()))
  assert.equal((await dns.ask('b.example')).rcode, 0)
})

test('times of connections change with a reload, at a port that stays', async (t) => {
  const text = (port: number, idle: string) =>
    `${idle}.example:${port} {\n bind 127.0.0.1\n timeouts {\n idle ${idle}\n }\n hosts {\n 192.0.2.1 ${idle}.example\n }\n}\n`
  const port = await freePort()
  const dns = await startDns(t, { Corefile: text(port, '20s') })
  dns.write('Corefile', text(port, '1s'))
  dns.kill('SIGHUP')
  await eventually(async () => (await dns.ask('1s.example')).rcode === 0)
  assert.equal(dns.stderr().includes('reload failed'), false)
  const client = connect(port, '127.0.0.1')
  t.after(() => client.destroy())
  client.resume().write(framed(packet({ name: '1s.example' })))
  const startMs = performance.now()
  await once(client, 'close')
  assert.ok(performance.now() - startMs < 15_000)
})
