/** A node with a packet plane: bans reach the kernel, and the program comes, goes and is handed on with the node. */
import assert from 'node:assert/strict'
import { closeSync, readFileSync } from 'node:fs'
import { describe, test, type TestContext } from 'node:test'
import type { ConfigInput } from '../../src/config/schema.ts'
import type { PacketSummary } from '../../src/control/packet-shapes.ts'
import { type Libbpf, loadLibbpf } from '../../src/packet/libbpf.ts'
import { attach } from '../../src/packet/attaching.ts'
import { eventually } from '../harness/eventually.ts'
import { ip, NO_NETWORK, startWire, type Wire, type WireOptions } from '../harness/network.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { descendants } from '../harness/processes.ts'
import { holder, isAlive } from '../harness/takeover.ts'

const loaded = loadLibbpf()
const skip = loaded.kind === 'missing' ? loaded.reason : (NO_NETWORK ?? false)
const libbpf = loaded.kind === 'loaded' ? loaded.libbpf : (undefined as unknown as Libbpf)

const HELLO = `export default { content: () => new Response('hello') }`

/** A node that serves at this end of a wire. */
async function startGuarded(
  t: TestContext,
  packet: ConfigInput['packet'],
  options: WireOptions & { readonly folder?: string } = {},
) {
  const wire = await startWire(t, options)
  const node = await startNode(t, {
    config: {
      edge: { listen: ['198.51.100.1:0', '[2001:db8:1::1]:0'] },
      sites: [{ origin: 'http://127.0.0.1:9' }],
      ...(packet && { packet }),
    },
    units: { hello: HELLO },
  })
  // Who has taken over is no child of the test.
  t.after(async () => {
    const pid = holder(node)
    if (pid === undefined || pid === node.pid || !isAlive(pid)) return
    process.kill(pid, 'SIGKILL')
    await eventually(() => !isAlive(pid))
  })
  return { wire, node }
}

/** Whether a client with this address at the other end is served. Of a connection that nobody answers nothing is heard for so long. */
async function isServed({ there }: Wire, { urls }: TestNode, from: string, withinSeconds: number) {
  const url = urls.find((one) => one.includes('[') === from.includes(':'))!
  const { stdout } = await there('curl', '-s', '-m', String(withinSeconds), '--interface', from, `${url}/`)
  return stdout === 'hello'
}

async function summaryOf(node: TestNode): Promise<PacketSummary> {
  return JSON.parse((await node.api('GET', '/v1/packet?top=20')).text) as PacketSummary
}

const dropped = ({ totals }: PacketSummary): number =>
  totals.filter(({ verdict }) => verdict === 'banned').reduce((sum, { packets }) => sum + packets, 0)

const attachedTo = (name: string) => libbpf.attached(libbpf.interfaceIndex(name)!)

/** Another whole program, and none of those that it has for a part of its work. */
const isProgram = (pid: number): boolean =>
  /main\.ts\0start/.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1'))

describe('a node with a packet plane', { skip }, () => {
  test('a ban drops packets in the kernel, a neighbour is served, and the ban ends by itself', async (t) => {
    const { wire, node } = await startGuarded(t, { interface: 'edge0' })
    assert.match(node.stderr(), /^packet plane: edge0 is attached \(native\)$/m)
    assert.equal(await isServed(wire, node, '198.51.100.2', 60), true)
    await node.orla('ban', '198.51.100.2', '2001:db8:1::2/127', '--for', '1h')
    assert.equal((await summaryOf(node)).prefixes >= 2, true)
    assert.equal(await isServed(wire, node, '198.51.100.3', 60), true)
    assert.equal(await isServed(wire, node, '2001:db8:1::4', 60), true)
    assert.equal(dropped(await summaryOf(node)), 0)
    assert.equal(await isServed(wire, node, '198.51.100.2', 1), false)
    assert.equal(await isServed(wire, node, '2001:db8:1::3', 1), false)
    const summary = await summaryOf(node)
    assert.ok(dropped(summary) >= 2, JSON.stringify(summary))
    const port = Number(new URL(node.url).port)
    assert.ok(summary.ports.some((one) => one.protocol === 'tcp' && one.port === port))
    assert.match(
      (await node.api('GET', '/metrics')).text,
      /^orla_packet_packets_total\{protocol="tcp",verdict="banned"\} [1-9]/m,
    )
    // One that is there is replaced, by a shorter one too; and it ends in the kernel as well.
    await node.orla('ban', '198.51.100.2', '2001:db8:1::2/127', '--for', '1s')
    await eventually(() => isServed(wire, node, '198.51.100.2', 1))
    assert.equal(await isServed(wire, node, '2001:db8:1::3', 60), true)
    await node.orla('ban', '198.51.100.0/24', '--for', '1h')
    assert.equal(await isServed(wire, node, '198.51.100.3', 1), false)
    await node.orla('unban', '198.51.100.0/24')
    assert.equal(await isServed(wire, node, '198.51.100.3', 60), true)
  })

  test('what is never banned is a hole in the kernel, too', async (t) => {
    const wire = await startWire(t)
    const node = await startNode(t, {
      config: {
        edge: { listen: '198.51.100.1:0' },
        sites: [{ origin: 'http://127.0.0.1:9' }],
        bans: { never: ['198.51.100.3'] },
        packet: { interface: 'edge0', mode: 'generic' },
      },
      units: { hello: HELLO },
    })
    await node.orla('ban', '198.51.100.0/24')
    assert.equal(await isServed(wire, node, '198.51.100.3', 60), true)
    assert.equal(await isServed(wire, node, '198.51.100.2', 1), false)
    const { stdout } = await node.orla('packet', 'status', '--top', '3')
    assert.match(stdout, /^INTERFACE +MODE +WHY\nedge0 +generic\n/)
    assert.match(stdout, /^tcp +banned +[1-9]/m)
  })

  test('bans are in force again after a restart', async (t) => {
    const { wire, node } = await startGuarded(t, { interface: 'edge0' })
    await node.orla('ban', '198.51.100.2')
    await node.stop()
    assert.deepEqual(attachedTo('edge0'), [])
    const again = await startNode(t, {
      folder: node.folder,
      config: {
        edge: { listen: '198.51.100.1:0' },
        sites: [{ origin: 'http://127.0.0.1:9' }],
        packet: { interface: 'edge0' },
      },
    })
    assert.equal(await isServed(wire, again, '198.51.100.3', 60), true)
    assert.equal(await isServed(wire, again, '198.51.100.2', 1), false)
    assert.ok(dropped(await summaryOf(again)) >= 1)
    await again.stop()
  })

  test('the program leaves with a node that is killed', async (t) => {
    const { node } = await startGuarded(t, { interface: 'edge0' })
    assert.equal(attachedTo('edge0').length, 1)
    node.kill('SIGKILL')
    await node.ended
    await eventually(() => attachedTo('edge0').length === 0)
  })

  test('an upgrade hands the interface on: one program after the other, and no moment without bans', async (t) => {
    const { wire, node } = await startGuarded(t, { interface: 'edge0' })
    await node.orla('ban', '198.51.100.2')
    const [before] = attachedTo('edge0')
    /** What was on the interface, looked at all the time. */
    const seen = new Set<string>()
    const looking = setInterval(
      () =>
        seen.add(
          attachedTo('edge0')
            .map(({ programId }) => programId)
            .join('+'),
        ),
      1,
    )
    t.after(() => clearInterval(looking))
    const { code, stderr } = await node.orla('upgrade')
    assert.equal(code, 0, stderr)
    await eventually(() => !isAlive(node.pid))
    clearInterval(looking)
    const after = attachedTo('edge0')
    assert.equal(after.length, 1)
    assert.notEqual(after[0]!.programId, before!.programId)
    assert.deepEqual(
      [...seen].toSorted(),
      [String(before!.programId), String(after[0]!.programId)].toSorted(),
    )
    assert.match(node.stderr(), /^packet plane: edge0 was taken over without a gap \(native\)$/m)
    assert.equal(await isServed(wire, node, '198.51.100.2', 1), false)
    assert.equal(await isServed(wire, node, '198.51.100.3', 60), true)
    assert.ok(dropped(await summaryOf(node)) >= 1)
    // The new one has the only link: no process of the old one, and no child, holds it.
    process.kill(holder(node)!, 'SIGKILL')
    await eventually(() => attachedTo('edge0').length === 0)
  })

  test('an upgrade that comes to nothing leaves the program that was there', async (t) => {
    const { wire, node } = await startGuarded(t, { interface: 'edge0' })
    await node.orla('ban', '198.51.100.2')
    const before = attachedTo('edge0')
    const known = new Set(descendants(node.pid))
    const upgrading = node.orla('upgrade')
    // While it loads. What becomes of one that has taken over in the kernel, `packet-plane.test.ts` of the supervisor shows.
    const other = await eventually(() =>
      descendants(node.pid).find((pid) => !known.has(pid) && isProgram(pid)),
    )
    process.kill(other, 'SIGKILL')
    const { code, stderr } = await upgrading
    assert.equal(code, 1, stderr)
    assert.deepEqual(attachedTo('edge0'), before)
    assert.equal(holder(node), node.pid)
    assert.equal(await isServed(wire, node, '198.51.100.2', 1), false)
    assert.ok(dropped(await summaryOf(node)) >= 1)
  })

  test('where it cannot be, one line says why, and the edge runs without it', async (t) => {
    const wire = await startWire(t)
    const fd = libbpf.loadProgram({ type: 'xdp', name: 'foreign', isGpl: false, instructions: PASS })
    const foreign = attach(libbpf, fd, 'edge0', 'native')
    assert.equal(foreign.kind, 'attached')
    const node = await startNode(t, {
      config: {
        edge: { listen: '198.51.100.1:0' },
        sites: [{ origin: 'http://127.0.0.1:9' }],
        packet: { interface: ['edge0', 'later0', 'lo'] },
      },
      units: { hello: HELLO },
    })
    const lines = node
      .stderr()
      .split('\n')
      .filter((line) => line.includes('packet plane'))
    assert.equal(lines.length, 3)
    assert.match(
      lines[0]!,
      /^warning: packet plane: edge0 is left alone: an XDP program of somebody else is there already \(program \d+, "foreign", native\), and is not replaced; `bpftool net` shows it; the edge runs without it there, and tries again$/,
    )
    assert.match(
      lines[1]!,
      /^warning: packet plane: later0 is left alone: there is no such interface; there are lo, edge0;/,
    )
    assert.match(
      lines[2]!,
      /^packet plane: lo is attached \(generic: its driver does not take XDP programs\)$/,
    )
    await node.orla('ban', '198.51.100.2')
    assert.equal(await isServed(wire, node, '198.51.100.3', 60), true)
    assert.equal(await isServed(wire, node, '198.51.100.2', 60), false, 'a worker turns him away')
    // It is tried again: an interface that comes, and one that the other program has left.
    ip('link', 'add', 'later0', 'type', 'veth', 'peer', 'name', 'later1')
    t.after(() => ip('link', 'del', 'later0'))
    if (foreign.kind === 'attached') foreign.link.detach()
    closeSync(fd)
    await eventually(async () => {
      const { interfaces } = await summaryOf(node)
      return interfaces.every(({ state }) => state === 'attached')
    })
    assert.equal(await isServed(wire, node, '198.51.100.2', 1), false)
    assert.ok(dropped(await summaryOf(node)) >= 1)
  })

  test('an interface that goes is told, and taken up again when it is back', async (t) => {
    const { node } = await startGuarded(t, { interface: ['edge0', 'spare0'] })
    const add = () => ip('link', 'add', 'spare0', 'type', 'veth', 'peer', 'name', 'spare1')
    add()
    await eventually(() => /spare0 is attached/.test(node.stderr()))
    ip('link', 'del', 'spare0')
    await eventually(() =>
      /^warning: packet plane: spare0 is lost: the interface has gone;/m.test(node.stderr()),
    )
    add()
    t.after(() => ip('link', 'del', 'spare0'))
    await eventually(() => node.stderr().match(/spare0 is attached/g)?.length === 2)
  })

  test('a node without a packet plane says so', async (t) => {
    const { node } = await startGuarded(t, undefined)
    assert.match((await node.orla('packet', 'status')).stdout, /^the node has no packet plane/)
    assert.deepEqual((await summaryOf(node)).interfaces, [])
    const answer = await node.api('GET', '/v1/packet?top=0')
    assert.equal(answer.status, 400)
    assert.match(answer.text, /top=0: expected a number from 1 to 500/)
  })
})

/** `r0 = XDP_PASS; exit`. */
const PASS = Buffer.from('b7000000020000009500000000000000', 'hex')
