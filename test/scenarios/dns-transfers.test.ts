/** A zone goes from Knot DNS and BIND to ours, and from ours to them, to `kdig` and to `dig`. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import secondary from '../../src/plugins/dns/secondary/plugin.ts'
import { served } from '../../src/plugins/dns/testing/block-server.ts'
import { blockOf, type TestBlock } from '../../src/plugins/dns/testing/block.ts'
import transfer from '../../src/plugins/dns/transfer/plugin.ts'
import { DnsMessage } from '../../src/wire/dns/message.ts'
import { RCODE, TYPE } from '../../src/wire/dns/codes.ts'
import { eventually } from '../harness/eventually.ts'
import { askUdp, bindIsMissing, knotIsMissing, startBind, startKnot } from '../harness/name-servers.ts'
import { freePort } from '../harness/ports.ts'

const run = promisify(execFile)
const skip = knotIsMissing || bindIsMissing
const ZONE = 'moves.example'

const textOf = (serial: number, hosts: number, more = ''): string =>
  `$ORIGIN ${ZONE}.\n@ 300 SOA ns1 hostmaster ${serial} 7200 3600 1209600 300\n@ 300 NS ns1\nns1 300 A 192.0.2.1\n${more}\n${Array.from(
    { length: hosts },
    (_, n) => `host${n} 300 A 10.0.${n >> 8}.${n & 255}\n`,
  ).join('')}`

const block = (t: TestContext, text: string): Promise<TestBlock> =>
  blockOf(t, text, { plugins: [transfer, secondary], zones: [ZONE] })

const serialIn = async (testBlock: TestBlock): Promise<number | undefined> => {
  const outcome = await testBlock.ask(ZONE, 'SOA')
  return outcome instanceof DnsMessage
    ? outcome.answer[0]?.rdata.readUInt32BE(outcome.answer[0].rdata.length - 20)
    : undefined
}
const serialAt = async (port: number): Promise<number | undefined> => {
  const { answer } = await askUdp(port, ZONE, TYPE.SOA)
  return answer[0]?.rdata.readUInt32BE(answer[0].rdata.length - 20)
}

for (const [name, start, canTransfer] of [
  ['Knot DNS', startKnot, '    acl: [all]'],
  ['BIND', startBind, 'allow-transfer { any; }; ixfr-from-differences yes;'],
] as const)
  test(
    `a zone is fetched from ${name}, and again as soon as it says that it changed`,
    { skip },
    async (t) => {
      const port = await freePort()
      const notify =
        start === startKnot
          ? await startKnot(
              t,
              [{ name: ZONE, text: textOf(1, 2000), more: '    acl: [all]\n    notify: [ours]' }],
              () => `remote:\n  - id: ours\n    address: 127.0.0.1@${port}`,
            )
          : await startBind(t, [
              {
                name: ZONE,
                text: textOf(1, 2000),
                more: `${canTransfer} also-notify { 127.0.0.1 port ${port}; }; notify explicit; notify-delay 0;`,
              },
            ])
      const own = await block(t, `secondary {\n transfer from 127.0.0.1:${notify.port}\n}`)
      await eventually(async () => (await serialIn(own)) === 1)
      assert.equal((await own.answer(`host1999.${ZONE}`)).answer.length, 1)
      await served(t, own, port)
      notify.load(ZONE, textOf(2, 2000, 'added 300 TXT "new"').replace('host7 ', 'host7b '))
      await eventually(async () => (await serialIn(own)) === 2, {
        what: () => `${own.logged.join('\n')}\n${notify.said()}`,
      })
      assert.equal((await own.answer(`added.${ZONE}`, 'TXT')).answer.length, 1)
      assert.equal((await own.answer(`host7.${ZONE}`)).rcode, RCODE.NXDOMAIN)
      assert.equal((await own.answer(`host7b.${ZONE}`)).answer.length, 1)
      // BIND keeps what changed and gives that; Knot DNS without a journal gives all of it.
      assert.match(
        own.logged.join('\n'),
        start === startKnot ? /serial 2, whole/ : /serial 2, by its changes/,
      )
    },
  )

test('a zone is given to Knot DNS and BIND, to kdig and dig, whole and unharmed', { skip }, async (t) => {
  const primary = await startKnot(t, [{ name: ZONE, text: textOf(7, 5000), more: '    acl: [all]' }])
  const own = await block(t, `secondary {\n transfer from 127.0.0.1:${primary.port}\n}\ntransfer {\n to *\n}`)
  await eventually(async () => (await serialIn(own)) === 7)
  const port = await served(t, own)
  const [knot, bind] = await Promise.all([
    startKnot(
      t,
      [{ name: ZONE, more: '    master: ours\n    acl: [all]' }],
      () => `remote:\n  - id: ours\n    address: 127.0.0.1@${port}`,
    ),
    startBind(t, [{ name: ZONE, more: `primaries { 127.0.0.1 port ${port}; };` }]),
  ])
  for (const server of [knot, bind]) {
    await eventually(async () => (await serialAt(server.port)) === 7, {
      what: () => `${server.said()}\n${own.logged.join('\n')}`,
    })
    assert.equal((await askUdp(server.port, `host4999.${ZONE}`, TYPE.A)).answer.length, 1)
  }
  const kdig = await run('kdig', ['@127.0.0.1', '-p', String(port), ZONE, 'AXFR'], { maxBuffer: 1e8 })
  assert.match(kdig.stdout, /Received \d+ B \(\d+ messages, 5004 records\)/)
  const dig = await run('dig', ['@127.0.0.1', '-p', String(port), ZONE, 'AXFR'], { maxBuffer: 1e8 })
  assert.match(dig.stdout, /XFR size: 5004 records \(messages \d+/)
  const axfr = dig.stdout.split('\n').filter((line) => /\sIN\s/.test(line))
  assert.equal(axfr.length, 5004)
  // Nothing is newer than what they have: the SOA alone.
  const current = await run('dig', ['@127.0.0.1', '-p', String(port), ZONE, 'IXFR=7'])
  assert.match(current.stdout, /XFR size: 1 records/)
  const behind = await run('dig', ['@127.0.0.1', '-p', String(port), ZONE, 'IXFR=6'], { maxBuffer: 1e8 })
  assert.match(behind.stdout, /XFR size: 5004 records/)
  const udp = await run('dig', ['@127.0.0.1', '-p', String(port), '+notcp', ZONE, 'IXFR=6'])
  assert.match(udp.stdout, /SOA\s.*hostmaster.* 7 7200/)
})

test('servers that are named are told when a zone changes, and fetch it', { skip }, async (t) => {
  const [port, bindPort, silentPort] = [await freePort(), await freePort(), await freePort()]
  const primary = await startKnot(
    t,
    [{ name: ZONE, text: textOf(1, 10), more: '    acl: [all]\n    notify: [ours]' }],
    () => `remote:\n  - id: ours\n    address: 127.0.0.1@${port}`,
  )
  const own = await block(
    t,
    `secondary {\n transfer from 127.0.0.1:${primary.port}\n}\ntransfer {\n to 127.0.0.1:${bindPort} 127.0.0.1:${silentPort}\n}`,
  )
  await served(t, own, port)
  await eventually(async () => (await serialIn(own)) === 1)
  // There is something to fetch by the time that it looks for the first time: otherwise it waits for a minute.
  const zone = { name: ZONE, more: `primaries { 127.0.0.1 port ${port}; };` }
  const bind = await startBind(t, [zone], '', bindPort)
  const what = () => `${bind.said()}\n${own.logged.join('\n')}`
  await eventually(async () => (await serialAt(bind.port)) === 1, { what })
  primary.load(ZONE, textOf(2, 10))
  await eventually(async () => (await serialAt(bind.port)) === 2, { what })
  await eventually(
    () =>
      own.logged.some((line) => line.includes(`info transfer: 127.0.0.1:${bind.port} was told of ${ZONE}.`)),
    { what },
  )
})

test('a transfer is refused where nobody allowed it', { skip: knotIsMissing }, async (t) => {
  const primary = await startKnot(t, [{ name: ZONE, text: textOf(1, 10), more: '    acl: [all]' }])
  const from = `secondary {\n transfer from 127.0.0.1:${primary.port}\n}`
  for (const text of [
    from,
    `${from}\ntransfer {\n to 192.0.2.1\n}`,
    `${from}\ntransfer elsewhere.example {\n to *\n}`,
  ]) {
    const own = await block(t, text)
    await eventually(async () => (await serialIn(own)) === 1)
    const port = await served(t, own)
    const { stdout } = await run('dig', ['@127.0.0.1', '-p', String(port), ZONE, 'AXFR'])
    assert.match(stdout, /Transfer failed/)
    assert.equal(await own.ask(ZONE, 'AXFR', { isTcp: true }), RCODE.REFUSED)
    assert.equal(await own.ask(ZONE, 'IXFR'), RCODE.REFUSED)
  }
})

test(
  'after a reload of the Corefile a zone is there at once, and its primary may be down',
  { skip: knotIsMissing },
  async (t) => {
    const primary = await startKnot(t, [{ name: ZONE, text: textOf(1, 10), more: '    acl: [all]' }])
    const text = `secondary {\n transfer from 127.0.0.1:${primary.port}\n}`
    const former = await block(t, text)
    await eventually(async () => (await serialIn(former)) === 1)
    await primary.stop()
    const next = await block(t, text)
    await former.stop()
    assert.equal(await serialIn(next), 1)
    await next.stop()
    // Nothing is left behind for one that begins later.
    assert.equal(await (await block(t, text)).ask(ZONE, 'SOA'), RCODE.SERVFAIL)
  },
)
