/** `orla packet load` as a person runs it: the examples, the ways it ends, and what is missing. */
import assert from 'node:assert/strict'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { HEADERS, libbpfHere, NO_PACKETS, sourceFile } from '../../src/packet/testing/compiled.support.ts'
import { ethernet, ipv4, udp } from '../../src/packet/testing/frames.ts'
import { cleanEnvironment, ORLA, orla } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import { libbpfFile } from '../harness/libbpf-file.ts'
import { ip, startWire, type Wire } from '../harness/network.ts'

const EXAMPLES = fileURLToPath(new URL('../../examples/packet/', import.meta.url))
const ENDS = { from: '198.51.100.2', to: '198.51.100.1' }
const datagram = (port: number, bytes = 10) => ethernet(ipv4(ENDS, udp(port, Buffer.alloc(bytes, 97))))
const five = Array.from({ length: 5 }, () => datagram(5005))
const PASS = `${HEADERS}SEC("xdp") int idle(struct xdp_md *ctx) { return XDP_PASS; }`

interface Running {
  readonly child: ChildProcess
  stdout(): string
  stderr(): string
  /** Resolves to its exit code when it ends by itself. */
  ended(): Promise<number | null>
  /** Ends it as Ctrl-C does; resolves to its exit code. */
  interrupt(signal?: NodeJS.Signals): Promise<number | null>
}

/** Starts the command, and waits until the program is on the interface. */
async function start(t: TestContext, wire: Wire, file: string, ...more: string[]): Promise<Running> {
  const child = spawn(ORLA, ['packet', 'load', file, '--interface', wire.name, ...more], {
    env: cleanEnvironment(),
  })
  t.after(() => child.kill('SIGKILL'))
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = once(child, 'close') as Promise<[number | null]>
  await Promise.race([
    eventually(() => stderr.includes('runs on')),
    ended.then(() => assert.fail(`it ended: ${stderr}`)),
  ])
  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    ended: async () => (await ended)[0],
    interrupt: async (signal = 'SIGINT') => {
      child.kill(signal)
      return (await ended)[0]
    },
  }
}

const attachedTo = (wire: Wire) => libbpfHere().attached(libbpfHere().interfaceIndex(wire.name)!)

/** Waits until so many frames came in: they are counted when the program has seen them. */
async function received(wire: Wire, frames: number): Promise<void> {
  await eventually(() => {
    const [link] = JSON.parse(ip('-s', '-j', 'link', 'show', wire.name)) as [
      { readonly stats64: { readonly rx: { readonly packets: number } } },
    ]
    return link.stats64.rx.packets >= frames
  })
}

/** What the command printed, lines of JSON. */
const linesOf = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

/** Packets that others send by themselves, such as those of IPv6, are passed. */
const besidesPass = (summary: Record<string, unknown>) => {
  const { pass: _, ...others } = summary['actions'] as Record<string, number>
  return others
}
const NONE = { drop: 0, aborted: 0, tx: 0, redirect: 0, other: 0 }

describe('orla/packet', { skip: NO_PACKETS }, () => {
  test('a program is loaded from TypeScript, told while it runs what to drop, and leaves at the end of the block', async (t) => {
    const { EdgeError, load } = await import('orla/packet')
    const wire = await startWire(t)
    const file = join(EXAMPLES, 'drop-by-port.c')
    await assert.rejects(load(file, { interface: wire.name }), (error: Error) => {
      assert.ok(error instanceof EdgeError)
      return error.code === 'program-invalid'
    })
    {
      using program = await load(file, { interface: wire.name, function: 'drop_blocked' })
      program.maps['blocked']!.set(5005, 0)
      await wire.send([...five, datagram(5006)])
      await eventually(() => program.actions()!.drop === 5)
      assert.deepEqual(program.maps['blocked']!.entries(), [[5005, 5]])
      program.maps['blocked']!.delete(5005)
      await wire.send(five)
      await eventually(() => program.actions()!.pass >= 6)
      assert.equal(program.actions()!.drop, 5)
    }
    assert.deepEqual(attachedTo(wire), [])
  })
})

describe('orla packet load', { skip: NO_PACKETS }, () => {
  test('examples/packet/count-by-port.c counts five packets to port 5005', async (t) => {
    const wire = await startWire(t)
    const running = await start(t, wire, join(EXAMPLES, 'count-by-port.c'))
    await wire.send([...five, datagram(443)])
    await received(wire, 6)
    assert.equal(await running.interrupt(), 0)
    const rows = running
      .stdout()
      .split('\n')
      .map((line) => line.trim().split(/\s+/).slice(0, 3))
    assert.deepEqual(rows[0], ['packets', '(percpu_hash)'])
    assert.deepEqual(rows.slice(1, 4), [
      ['PROTOCOL', 'PORT', 'VALUE'],
      ['17', '443', '1'],
      ['17', '5005', '5'],
    ])
    assert.match(running.stdout(), /\nACTION +PACKETS\npass +\d+\ndrop +0\naborted +0\ntx +0\nredirect +0\n$/)
    assert.deepEqual(attachedTo(wire), [])
  })

  test('examples/packet/drop-by-port.c drops what its map says, and prints it as it comes', async (t) => {
    const wire = await startWire(t)
    const file = join(EXAMPLES, 'drop-by-port.c')
    const running = await start(t, wire, file, '--function', 'drop_telnet_and_quic', '--json')
    await wire.send([...five, datagram(443), datagram(23)])
    await eventually(() => running.stdout().split('\n').length >= 3)
    assert.equal(await running.interrupt('SIGTERM'), 0)
    const lines = linesOf(running.stdout())
    const traces = lines.slice(0, -1).map(({ trace }) => (trace as { text: string }).text)
    assert.deepEqual(traces, ['dropped a packet to port 443', 'dropped a packet to port 23'])
    const summary = lines.at(-1)!
    assert.deepEqual(besidesPass(summary), { ...NONE, drop: 2 })
    const { type, entries } = (summary['maps'] as Record<string, { type: string; entries: unknown[] }>)[
      'blocked'
    ]!
    assert.equal(type, 'hash')
    assert.deepEqual(
      entries.toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b))),
      [
        { key: 23, value: 1 },
        { key: 443, value: 1 },
      ],
    )
  })

  test('examples/packet/events.c prints an event as it comes', async (t) => {
    const wire = await startWire(t)
    const running = await start(t, wire, join(EXAMPLES, 'events.c'), '--mode', 'generic')
    await wire.send(five)
    const line = 'events  source 198.51.100.2, port 5005, bytes 52\n'
    await eventually(() => running.stdout() === line.repeat(5), { what: running.stdout })
    assert.equal(await running.interrupt(), 0)
  })

  test('examples/packet/size-histogram.c prints a bar for each power of two', async (t) => {
    const wire = await startWire(t)
    const running = await start(t, wire, join(EXAMPLES, 'size-histogram.c'), '--map', 'bytes')
    await wire.send([...five, datagram(443, 500)])
    await received(wire, 6)
    assert.equal(await running.interrupt(), 0)
    assert.match(running.stdout(), /^bytes \(array\)\nVALUE +COUNT\n32 to 63 +5 +#+\n/)
    assert.match(running.stdout(), /\n512 to 1023 +1 +#+\n/)
  })

  test('it ends by itself after --duration', async (t) => {
    const wire = await startWire(t)
    const file = sourceFile(t, PASS)
    const { code, stdout, stderr } = await orla([
      'packet',
      'load',
      file,
      '--interface',
      wire.name,
      '--duration',
      '50ms',
      '--json',
    ])
    assert.equal(code, 0)
    assert.equal(stderr, 'idle runs on edge0, native\n')
    assert.deepEqual(linesOf(stdout)[0]!['maps'], {})
    assert.deepEqual(attachedTo(wire), [])
  })

  test('killed with -9, it leaves no program, no file and no trace behind', async (t) => {
    const wire = await startWire(t)
    const running = await start(t, wire, sourceFile(t, PASS))
    assert.equal(attachedTo(wire)[0]?.programName, 'idle')
    const programs = () => spawnSync('bpftool', ['prog', 'list']).stdout?.toString() ?? ''
    assert.equal(await running.interrupt('SIGKILL'), null)
    // The kernel takes a link away when its last descriptor is closed, a moment after the process is gone.
    await eventually(() => attachedTo(wire).length === 0)
    await eventually(() => !/name (?:idle|orla_listener)\b/.test(programs()))
    assert.deepEqual(
      readdirSync('/sys/fs/bpf').filter((name) => name.includes('orla')),
      [],
    )
  })

  test('an interface that is deleted ends it, with its maps and exit code 1', async (t) => {
    const wire = await startWire(t)
    const running = await start(t, wire, sourceFile(t, PASS))
    ip('link', 'del', wire.name)
    assert.equal(await running.ended(), 1)
    assert.match(running.stderr(), /\nedge0 has gone, or the program on it\n$/)
    assert.match(running.stdout(), /^ACTION +PACKETS\n/)
  })

  test('a terminal that is closed ends it as Ctrl-C does', async (t) => {
    const running = await start(t, await startWire(t), sourceFile(t, PASS))
    assert.equal(await running.interrupt('SIGHUP'), 0)
    assert.match(running.stdout(), /^ACTION +PACKETS\n/)
  })

  test('Ctrl-C while the compiler runs ends both, and does not blame the program', async (t) => {
    const wire = await startWire(t)
    const clang = sourceFile(t, '#!/bin/sh\n: > "$0.runs"\nexec sleep 1000\n', 'slow-clang')
    chmodSync(clang, 0o755)
    const args = ['packet', 'load', sourceFile(t, PASS), '--interface', wire.name, '--clang', clang]
    const child = spawn(ORLA, args, { env: cleanEnvironment(), detached: true })
    t.after(() => child.kill('SIGKILL'))
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    const ended = once(child, 'close')
    await eventually(() => existsSync(`${clang}.runs`))
    // The whole group of processes, as a terminal does.
    process.kill(-child.pid!, 'SIGINT')
    assert.equal((await ended)[0], 1)
    assert.equal(stderr, 'ended before the program was attached\n')
  })

  test('that no packet comes to an interface which is down is said', async (t) => {
    const wire = await startWire(t)
    ip('link', 'set', wire.name, 'down')
    const running = await start(t, wire, sourceFile(t, PASS))
    await eventually(() =>
      running.stderr().endsWith('no packet comes while edge0 is down: `ip link set edge0 up`\n'),
    )
    assert.equal(await running.interrupt(), 0)
  })

  test('of a large map the first rows are shown by key, and how many are left', async (t) => {
    const wire = await startWire(t)
    const source = `${HEADERS}struct place { __u32 row, column; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 3000); __type(key, struct place); __type(value, __u64); } big SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 3000); __type(key, __u32); __type(value, __u64); } few SEC(".maps");
static int fill(__u32 at, void *context) {
  struct place place = { at, 7 };
  __u64 value = at;
  bpf_map_update_elem(&big, &place, &value, BPF_ANY);
  if (at % 1000 == 0) bpf_map_update_elem(&few, &at, &value, BPF_ANY);
  return 0;
}
SEC("xdp") int f(struct xdp_md *ctx) { bpf_loop(3000, fill, 0, 0); return XDP_PASS; }`
    const running = await start(t, wire, sourceFile(t, source))
    await wire.send(five)
    await received(wire, 5)
    assert.equal(await running.interrupt(), 0)
    const lines = running.stdout().split('\n')
    const rows = Array.from({ length: 200 }, (_, row) => [String(row), '7', String(row)])
    assert.deepEqual(
      lines.slice(2, 202).map((line) => line.split(/ +/)),
      rows,
    )
    assert.equal(lines[202], '… and 2800 more; --json prints all')
    assert.match(running.stdout(), /\nfew \(array\)\nKEY +VALUE\n1000 +1000\n2000 +2000\n\nACTION/)
  })

  test('a program of somebody else is not replaced', async (t) => {
    const wire = await startWire(t)
    await start(t, wire, sourceFile(t, PASS))
    const { code, stderr } = await orla(['packet', 'load', sourceFile(t, PASS), '--interface', wire.name])
    assert.equal(code, 1)
    assert.match(
      stderr,
      /^orla: edge0: an XDP program of somebody else is there already \(program \d+, "idle", native\)/,
    )
  })

  const MISSING: readonly (readonly [what: string, args: readonly string[], code: number, stderr: RegExp])[] =
    [
      [
        'an interface',
        ['--interface', 'eth77'],
        1,
        /^orla: eth77: there is no such interface; there are lo, /,
      ],
      [
        'a function',
        ['--interface', 'lo', '--function', 'idel'],
        1,
        /there is no program "idel"; its programs are idle; did you mean idle\?/,
      ],
      [
        'a map',
        ['--interface', 'lo', '--mode', 'generic', '--map', 'counts'],
        1,
        /^orla: there is no map "counts": the program has none\n {2}the program has left the interface again/,
      ],
      [
        'clang',
        ['--interface', 'lo', '--clang', 'orla-no-clang'],
        1,
        /^orla: orla-no-clang is not installed.*\n.*install clang/,
      ],
      [
        'XDP in a driver',
        ['--interface', 'lo', '--mode', 'native'],
        1,
        /^orla: lo: its driver does not take XDP programs/,
      ],
      [
        'a card that runs programs',
        ['--interface', 'lo', '--mode', 'offload'],
        1,
        /^orla: lo: its card does not take XDP programs/,
      ],
      ['the name of an interface', [], 64, /^orla packet load: --interface is missing/],
      [
        'a name of an interface that is empty, as of a variable',
        ['--interface', ''],
        64,
        /^orla packet load: --interface is missing/,
      ],
      [
        'a mode',
        ['--interface', 'lo', '--mode', 'natve'],
        64,
        /--mode takes auto, native, .*did you mean native\?/,
      ],
    ]
  for (const [what, args, code, stderr] of MISSING) {
    test(`${what} that is not there is told in a line`, async (t) => {
      await startWire(t)
      const result = await orla(['packet', 'load', sourceFile(t, PASS), ...args])
      assert.equal(result.code, code)
      assert.match(result.stderr, stderr)
      assert.equal(result.stdout, '')
    })
  }

  test('without rights it says so', async (t) => {
    const wire = await startWire(t)
    const file = sourceFile(t, PASS)
    // The file is for its owner alone: it stays root that reads it, without the rights that BPF asks for.
    const args = [
      '--bounding-set=-sys_admin,-bpf,-perfmon,-net_admin',
      '--inh-caps=-all',
      ORLA,
      'packet',
      'load',
    ]
    const { status, stderr } = spawnSync('setpriv', [...args, file, '--interface', wire.name], {
      encoding: 'utf8',
      env: cleanEnvironment(),
    })
    assert.equal(status, 1, stderr)
    assert.match(stderr, /^orla: this process may not use BPF programs: it asks for root/)
  })

  test('with CAP_BPF and CAP_NET_ADMIN alone it runs, and says what it cannot follow', async (t) => {
    const wire = await startWire(t)
    const file = sourceFile(t, PASS)
    const args = ['--bounding-set=-sys_admin,-perfmon', '--inh-caps=-all', ORLA, 'packet', 'load', file]
    const { status, stderr, stdout } = spawnSync(
      'setpriv',
      [...args, '--interface', wire.name, '--duration', '50ms'],
      { encoding: 'utf8', env: cleanEnvironment() },
    )
    assert.equal(status, 0, stderr)
    assert.match(stderr, /what the program prints cannot be followed: .*trace_pipe/)
    assert.match(stdout, /ACTION +PACKETS/)
  })

  test('without libbpf it says so', async (t) => {
    const wire = await startWire(t)
    const file = sourceFile(t, PASS)
    const hide = `mount --bind /dev/null ${libbpfFile()}`
    const command = `${hide} && exec ${ORLA} packet load ${file} --interface ${wire.name}`
    const { status, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', command], {
      encoding: 'utf8',
      env: cleanEnvironment(),
    })
    assert.equal(status, 1, stderr)
    assert.match(stderr, /^orla: libbpf is not installed \(libbpf\.so\.1\)\n.*apt install libbpf1/)
  })
})
