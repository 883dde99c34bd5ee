/** The packet plane with real packets: over a veth pair, from another network namespace, counted and dropped in the driver and in the network stack. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync } from 'node:fs'
import { createServer } from 'node:net'
import { afterEach, describe, test, type TestContext } from 'node:test'
import { eventually } from '../../test/harness/eventually.ts'
import { ip, leaveNetwork, NO_NETWORK, startWire, type Wire } from '../../test/harness/network.ts'
import type { PacketCounts, PacketMode } from '../contract/packet.ts'
import { attach, type WantedMode } from './attaching.ts'
import { EdgeProgram } from './edge-program.ts'
import { type Libbpf, loadLibbpf } from './libbpf.ts'
import { countPackets, type PacketCounter } from './packet-counter.ts'
import { ethernet, extension, fragment, ipv4, ipv6, notIp, other, tcp, udp } from './testing/frames.ts'

const loaded = loadLibbpf()
const skip = loaded.kind === 'missing' ? loaded.reason : (NO_NETWORK ?? false)
const libbpf = loaded.kind === 'loaded' ? loaded.libbpf : (undefined as unknown as Libbpf)

/** What tests opened, to be closed whatever becomes of them. */
const opened: { close(): void }[] = []
afterEach(() => {
  for (const one of opened.splice(0)) one.close()
})

function counting(name: string, mode: WantedMode): PacketCounter {
  const result = countPackets(libbpf, name, mode)
  assert.equal(result.kind, 'counting', result.kind === 'refused' ? result.reason : '')
  const { counter } = result as Extract<typeof result, { kind: 'counting' }>
  opened.push(counter)
  return counter
}

/** An edge's program on an interface, told what is banned. */
function guarding(t: TestContext, name: string, mode: PacketMode, options = {}): EdgeProgram {
  const edge = EdgeProgram.load(libbpf, options)
  opened.push(edge)
  const attached = attach(libbpf, edge.fd, name, mode)
  assert.equal(attached.kind, 'attached', attached.kind === 'refused' ? attached.reason : '')
  if (attached.kind === 'attached') t.after(() => attached.link.detach())
  return edge
}

const V4 = { from: '198.51.100.2', to: '198.51.100.1' }
const V6 = { from: '2001:db8:1::2', to: '2001:db8:1::1' }

const portOf = ({ ports }: PacketCounts, protocol: string, port: number): number =>
  ports.find((one) => one.protocol === protocol && one.port === port)?.packets ?? 0
const totalOf = ({ totals }: PacketCounts, protocol: string, verdict = 'passed'): number =>
  totals.find((one) => one.protocol === protocol && one.verdict === verdict)?.packets ?? 0

describe('the packet plane with real packets', { skip }, () => {
  for (const mode of ['native', 'generic'] as const) {
    test(`packets are counted by port (${mode}): IPv4, IPv6, VLAN, fragments, frames that end too early`, async (t) => {
      const wire = await startWire(t)
      const counter = counting(wire.name, mode)
      assert.deepEqual([counter.mode, counter.isShared, counter.note], [mode, false, undefined])
      const vlan = [{ vlan: 7 }]
      await wire.send([
        ...Array.from({ length: 5 }, () => ethernet(ipv4(V4, udp(5005)))),
        ethernet(ipv4(V4, udp(5006), { options: Buffer.alloc(8, 1) })),
        ethernet(ipv4(V4, tcp(443))),
        ethernet(ipv6(V6, udp(5007))),
        ethernet(ipv6(V6, tcp(8443), [extension(0), extension(60)])),
        ethernet(ipv4(V4, udp(5008)), { tags: vlan }),
        ethernet(ipv6(V6, tcp(5009)), { tags: [{ vlan: 9, type: 0x88a8 }, ...vlan] }),
        ethernet(ipv4(V4, udp(5010), { moreFragments: true })),
        ethernet(ipv4(V4, other(17), { fragmentOffset: 4 })),
        ethernet(ipv6(V6, other(17), [fragment(4, false)])),
        ethernet(notIp(0x88cc)),
        ethernet(ipv4(V4, udp(5011))).subarray(0, 14),
        ethernet(ipv4(V4, udp(5011))).subarray(0, 30),
        ethernet(ipv6(V6, tcp(5011))).subarray(0, 60),
      ])
      const counts = await eventually(() => totalOf(counter.read(), 'unreadable') === 3 && counter.read())
      const expected = { udp: [5005, 5006, 5007, 5008, 5010], tcp: [443, 8443, 5009] }
      for (const [protocol, ports] of Object.entries(expected))
        for (const port of ports)
          assert.equal(portOf(counts, protocol, port), port === 5005 ? 5 : 1, `${protocol} ${port}`)
      assert.equal(portOf(counts, 'udp', 5011) + portOf(counts, 'tcp', 5011), 0)
      assert.equal(totalOf(counts, 'udp'), 11)
      assert.equal(totalOf(counts, 'not-ip') >= 1, true)
      assert.equal(counts.fragments.packets, 2)
      const frame = ethernet(ipv4(V4, udp(5005))).length
      assert.equal(counts.ports.find(({ port }) => port === 5005)?.bytes, 5 * frame)
    })

    test(`who is banned cannot connect, and a neighbour can (${mode})`, async (t) => {
      const wire = await startWire(t)
      const edge = guarding(t, wire.name, mode)
      const server = createServer((socket) => socket.end('open'))
      t.after(() => server.close())
      const port = await new Promise<number>((resolve) => {
        server.listen(0, '::', () => resolve((server.address() as { readonly port: number }).port))
      })
      const connects = async (from: string, to: string, withinSeconds: number) => {
        const script = `require('node:net').connect({ host: '${to}', port: ${port}, localAddress: '${from}' }).on('data', (text) => process.stdout.write(text)).on('error', () => undefined)`
        const { stdout } = await wire.there('timeout', String(withinSeconds), process.execPath, '-e', script)
        return stdout === 'open'
      }
      edge.replace(['198.51.100.2/32', '2001:db8:1::2/127'], [])
      assert.equal(await connects('198.51.100.3', V4.to, 60), true)
      assert.equal(await connects('2001:db8:1::4', V6.to, 60), true)
      assert.equal(await connects('198.51.100.2', V4.to, 1.5), false)
      assert.equal(await connects('2001:db8:1::3', V6.to, 1.5), false)
      assert.ok(totalOf(edge.counts(), 'tcp', 'banned') >= 2)
      edge.unban(['198.51.100.2/32', '2001:db8:1::2/127'])
      assert.equal(await connects('198.51.100.2', V4.to, 60), true)
      assert.equal(await connects('2001:db8:1::3', V6.to, 60), true)
    })

    test(`frames that cannot be read are dropped where that is asked for (${mode})`, async (t) => {
      const wire = await startWire(t)
      const edge = guarding(t, wire.name, mode, { dropUnreadable: true })
      await wire.send([ethernet(ipv4(V4, udp(5011))).subarray(0, 30), ethernet(ipv4(V4, udp(5011)))])
      const counts = await eventually(() => portOf(edge.counts(), 'udp', 5011) === 1 && edge.counts())
      assert.equal(totalOf(counts, 'unreadable', 'unreadable'), 1)
      assert.equal(totalOf(counts, 'unreadable'), 0)
    })
  }

  test('auto is native where the driver can, and else generic, and says why', async (t) => {
    const wire = await startWire(t)
    assert.equal(counting(wire.name, 'auto').mode, 'native')
    const onLoopback = counting('lo', 'auto')
    assert.deepEqual([onLoopback.mode, onLoopback.note], ['generic', 'its driver does not take XDP programs'])
    assert.deepEqual(countPackets(libbpf, 'lo', 'offload').kind, 'counting', 'what is there is read')
    onLoopback.close()
    for (const [mode, reason] of [
      ['native', /^its driver does not take XDP programs/],
      ['offload', /^its card does not take this program/],
    ] as const) {
      const refused = countPackets(libbpf, 'lo', mode)
      assert.match(refused.kind === 'refused' ? refused.reason : '', reason)
    }
  })

  test('an interface that is not there is named beside those that are', () => {
    leaveNetwork()
    const refused = countPackets(libbpf, 'eth77', 'auto')
    assert.match(
      refused.kind === 'refused' ? refused.reason : '',
      /^there is no such interface; there are lo/,
    )
  })

  test('a program of somebody else is not replaced', async (t) => {
    if (!hasBpftool) return t.skip('bpftool is not installed')
    const wire = await startWire(t)
    const foreign = foreignProgram(wire)
    const refused = countPackets(libbpf, wire.name, 'auto')
    assert.match(
      refused.kind === 'refused' ? refused.reason : '',
      /^an XDP program of somebody else is there already \(program \d+, "foreign", native\), and is not replaced/,
    )
    assert.match(ip('link', 'show', wire.name), new RegExp(`prog/xdp id ${foreign}`))
  })

  test('two who watch the same interface see the same, and the second from its own start on', async (t) => {
    const wire = await startWire(t)
    const first = counting(wire.name, 'auto')
    await wire.send([ethernet(ipv4(V4, udp(5005)))])
    await eventually(() => portOf(first.read(), 'udp', 5005) === 1)
    const second = counting(wire.name, 'auto')
    assert.equal(second.isShared, true)
    await wire.send([ethernet(ipv4(V4, udp(5005))), ethernet(ipv4(V4, udp(5006)))])
    await eventually(() => portOf(second.read(), 'udp', 5006) === 1)
    assert.deepEqual(
      [first, second].map((one) => portOf(one.read(), 'udp', 5005)),
      [2, 1],
    )
    assert.equal(second.isGone(), false)
    first.close()
    await eventually(() => second.isGone())
    assert.equal(portOf(second.read(), 'udp', 5005), 1, 'what was counted is there still')
  })

  test('who reads what a node counts goes on where another program of it takes over', async (t) => {
    const wire = await startWire(t)
    const [before, next] = [EdgeProgram.load(libbpf), EdgeProgram.load(libbpf)]
    opened.push(before, next)
    const attached = attach(libbpf, before.fd, wire.name, 'auto')
    assert.equal(attached.kind, 'attached')
    const { link } = attached as Extract<typeof attached, { kind: 'attached' }>
    t.after(() => link.detach())
    const reader = counting(wire.name, 'auto')
    const frame = ethernet(ipv4(V4, udp(5005)))
    await wire.send([frame, frame])
    await eventually(() => portOf(reader.read(), 'udp', 5005) === 2)
    libbpf.updateLink(link.fd, next.fd)
    before.close()
    await wire.send([frame])
    await eventually(() => !reader.isGone() && portOf(reader.read(), 'udp', 5005) === 3)
    assert.equal(portOf(next.counts(), 'udp', 5005), 1)
  })

  test('who watches an interface that goes is told so', async (t) => {
    const wire = await startWire(t)
    const counter = counting(wire.name, 'auto')
    assert.equal(counter.isGone(), false)
    ip('link', 'del', wire.name)
    await eventually(() => counter.isGone())
  })

  test('a hundred times on and off an interface leave nothing behind', async (t) => {
    if (!hasBpftool) return t.skip('bpftool is not installed')
    const wire = await startWire(t)
    const programs = new Set<number>()
    const maps = new Set<number>()
    for (let round = 0; round < 100; round++) {
      const counter = counting(wire.name, round % 2 === 0 ? 'native' : 'generic')
      for (const { programId } of libbpf.attached(libbpf.interfaceIndex(wire.name)!)) {
        programs.add(programId)
        const { map_ids = [] } = JSON.parse(
          bpftoolRun('--json', 'prog', 'show', 'id', String(programId)).stdout,
        ) as Listed
        for (const id of map_ids) maps.add(id)
      }
      counter.close()
    }
    assert.deepEqual([programs.size, maps.size], [100, 600])
    // The kernel takes them away a moment later.
    await eventually(() => {
      assert.deepEqual(
        [
          bpftool('prog').filter(({ id }) => programs.has(id)),
          bpftool('link').filter(({ prog_id }) => programs.has(prog_id ?? 0)),
          bpftool('map').filter(({ id }) => maps.has(id)),
        ],
        [[], [], []],
      )
      return true
    })
    assert.doesNotMatch(ip('link', 'show', wire.name), /xdp/)
  })
})

const WITH_SBIN = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` }

const bpftoolRun = (...args: readonly string[]) =>
  spawnSync('bpftool', args, { encoding: 'utf8', env: WITH_SBIN })

const hasBpftool = !bpftoolRun('version').error

interface Listed {
  readonly id: number
  readonly prog_id?: number
  readonly map_ids?: readonly number[]
}

function bpftool(what: 'prog' | 'link' | 'map'): readonly Listed[] {
  const { stdout, stderr } = bpftoolRun('--json', what, 'show')
  // Another process took one of them away while it was looked at.
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout) as readonly Listed[]
}

/** Attached as other tools do it, without a link: it stays until the interface goes. Returns its number. */
function foreignProgram({ name }: Wire): number {
  const fd = libbpf.loadProgram({ type: 'xdp', name: 'foreign', isGpl: false, instructions: PASS })
  try {
    const id = libbpf.programId(fd)!
    const { status, stderr } = bpftoolRun('net', 'attach', 'xdpdrv', 'id', String(id), 'dev', name)
    assert.equal(status, 0, stderr)
    return id
  } finally {
    closeSync(fd)
  }
}

/** `r0 = XDP_PASS; exit`. */
const PASS = Buffer.from('b7000000020000009500000000000000', 'hex')
