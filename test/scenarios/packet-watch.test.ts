/** `orla packet watch`, as a person and a script use it, in a network of its own. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { describe, test, type TestContext } from 'node:test'
import { type Libbpf, loadLibbpf } from '../../src/packet/libbpf.ts'
import { cleanEnvironment, ORLA, orla } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import { libbpfFile } from '../harness/libbpf-file.ts'
import { leaveNetwork, NO_NETWORK } from '../harness/network.ts'

const loaded = loadLibbpf()
const skip = loaded.kind === 'missing' ? loaded.reason : (NO_NETWORK ?? false)
const libbpf = loaded.kind === 'loaded' ? loaded.libbpf : (undefined as unknown as Libbpf)

/** It is on the interface from its first line on standard error on. */
async function startWatch(t: TestContext, ...args: readonly string[]) {
  leaveNetwork()
  const child = spawn(ORLA, ['packet', 'watch', '--interface', 'lo', ...args], {
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.after(() => child.kill('SIGKILL'))
  const said = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text))
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  await eventually(
    () => onLoopback().length === 1 && (args.includes('--json') || said.err.includes('Ctrl-C')),
  )
  return { child, said, ended, lines: () => said.out.trimEnd().split('\n') }
}

const onLoopback = () => libbpf.attached(libbpf.interfaceIndex('lo')!)

/** To ports that nobody listens at: who sends is answered by ICMP, which has no port. */
async function sendUdp(port: number, count: number): Promise<void> {
  const socket = createSocket('udp4')
  socket.on('error', () => undefined)
  for (let i = 0; i < count; i++)
    await new Promise<void>((resolve) => socket.send('orla', port, '127.0.0.1', () => resolve()))
  socket.close()
}

describe('orla packet watch', { skip }, () => {
  test('it prints as packets come, and the histogram at the end', async (t) => {
    const watch = await startWatch(t, '--interval', '50ms')
    assert.match(
      watch.said.err,
      /^counting on lo \(generic: its driver does not take XDP programs\); Ctrl-C ends it\n$/,
    )
    await sendUdp(5005, 5)
    await eventually(() => watch.lines().includes('DEST_PORT : 5005, COUNT : 5'))
    await sendUdp(53, 2)
    await sendUdp(5005, 1)
    await eventually(() => watch.lines().includes('DEST_PORT : 5005, COUNT : 6'))
    await eventually(() => watch.lines().includes('DEST_PORT : 53, COUNT : 2'))
    watch.child.kill('SIGINT')
    assert.equal(await watch.ended, 0)
    assert.deepEqual(watch.lines().slice(-2), ['DEST_PORT : 5005, COUNT : 6', 'DEST_PORT : 53, COUNT : 2'])
    assert.match(watch.said.err, /\nlo, \d+\.\d s: 16 packets, 960 B: udp 8, icmp 8\n$/)
    assert.deepEqual(onLoopback(), [])
  })

  test('the histogram alone, one protocol, the busiest ports', async (t) => {
    const watch = await startWatch(t, '--interval', '0s', '--protocol', 'udp', '--top', '2')
    await sendUdp(7003, 1)
    await sendUdp(7002, 2)
    await sendUdp(7001, 3)
    watch.child.kill('SIGTERM')
    assert.equal(await watch.ended, 0)
    assert.equal(watch.said.out, 'DEST_PORT : 7001, COUNT : 3\nDEST_PORT : 7002, COUNT : 2\n')
    assert.match(watch.said.err, /and 1 more port \(--top\)\n$/)
  })

  test('lines of JSON for a script', async (t) => {
    const watch = await startWatch(t, '--json', '--interval', '50ms')
    await sendUdp(5005, 5)
    await eventually(() => watch.said.out.includes('"packets":5'))
    watch.child.kill('SIGINT')
    assert.equal(await watch.ended, 0)
    const lines = watch.lines().map((line) => JSON.parse(line) as Record<string, unknown>)
    const { at, seconds, ...last } = lines.at(-1)!
    assert.ok(!Number.isNaN(Date.parse(String(at))))
    assert.ok(Number(seconds) > 0)
    assert.deepEqual(last, {
      interface: 'lo',
      ports: [{ protocol: 'udp', port: 5005, packets: 5, bytes: 230 }],
      totals: [
        { protocol: 'udp', verdict: 'passed', packets: 5, bytes: 230 },
        { protocol: 'icmp', verdict: 'passed', packets: 5, bytes: 370 },
      ],
      fragments: { packets: 0, bytes: 0 },
      end: true,
    })
    assert.ok(lines.length > 1 && lines.slice(0, -1).every((line) => !('end' in line)))
    assert.equal(watch.said.err, '')
  })

  test('where nothing came until the end of --duration, nothing is printed', async (t) => {
    const watch = await startWatch(t, '--duration', '200ms')
    assert.equal(await watch.ended, 0)
    assert.equal(watch.said.out, '')
    assert.match(watch.said.err, /lo, \d\.\d s: no packets\n$/)
  })

  test('a second one reads what the first one counts', async (t) => {
    const first = await startWatch(t, '--interval', '50ms')
    const second = await startWatch(t, '--interval', '50ms')
    assert.match(
      second.said.err,
      /^reading what the packet plane counts on lo \(generic\); Ctrl-C ends it\n$/,
    )
    await sendUdp(5005, 1)
    for (const { lines } of [first, second])
      await eventually(() => lines().includes('DEST_PORT : 5005, COUNT : 1'))
    first.child.kill('SIGKILL')
    assert.equal(await second.ended, 1)
    assert.match(
      second.said.err,
      /\nlo has gone, or the program on it\nlo, \d+\.\d s: 2 packets, 120 B: udp 1, icmp 1\n$/,
    )
  })

  test('a kill leaves nothing on the interface', async (t) => {
    const watch = await startWatch(t)
    watch.child.kill('SIGKILL')
    await watch.ended
    await eventually(() => onLoopback().length === 0)
  })

  test('what is missing is said in one line', async () => {
    leaveNetwork()
    const said = async (...args: readonly string[]) => {
      const { code, stdout, stderr } = await orla(['packet', 'watch', ...args])
      return [code, stdout, stderr.split('\n')[0]] as const
    }
    assert.deepEqual(await said(), [64, '', 'orla packet watch: give the interface: --interface lo'])
    assert.deepEqual(await said('--interface', 'eth77'), [
      1,
      '',
      'orla: eth77: there is no such interface; there are lo',
    ])
    assert.deepEqual(await said('--interface', 'lo', '--mode', 'native'), [
      1,
      '',
      'orla: lo: its driver does not take XDP programs',
    ])
    assert.deepEqual(await said('--interface', 'lo', '--protocol', 'udo'), [
      64,
      '',
      'orla packet watch: --protocol takes udp, tcp, not "udo"; did you mean udp?',
    ])
    assert.deepEqual(await said('--interface', 'lo', '--top', '1.5'), [
      64,
      '',
      'orla packet watch: --top takes a whole number from 1 to 65536, not "1.5"',
    ])
  })

  test('without the rights it says which', () => {
    leaveNetwork()
    const { status, stderr } = spawnSync(
      'setpriv',
      ['--bounding-set=-all', '--inh-caps=-all', ORLA, 'packet', 'watch', '--interface', 'lo'],
      { encoding: 'utf8', env: cleanEnvironment() },
    )
    assert.equal(status, 1)
    assert.match(
      stderr,
      /^orla: lo: this process may not use BPF programs: it asks for root, or for CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON\n/,
    )
  })

  test('without libbpf it says so', () => {
    leaveNetwork()
    const hide = `mount --bind /dev/null ${libbpfFile()}`
    const { status, stderr } = spawnSync(
      'unshare',
      ['--mount', 'sh', '-c', `${hide} && exec "$0" packet watch --interface lo`, ORLA],
      { encoding: 'utf8', env: cleanEnvironment() },
    )
    assert.equal(status, 1)
    assert.match(stderr, /^orla: lo: libbpf is not installed \(libbpf\.so\.1\)\n/)
  })
})
