/** Programs of one's own with real packets: over a veth pair, from another network namespace. */
import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { eventually } from '../../../test/harness/eventually.ts'
import { startWire, type Wire } from '../../../test/harness/network.ts'
import {
  compiled,
  datagram,
  five,
  HEADERS,
  libbpfHere,
  NO_PACKETS,
  PORT,
  sourceFile,
  start,
} from '../testing/compiled.support.ts'
import { ethernet, notIp } from '../testing/frames.ts'
import { load, type LoadedProgram, type ProgramRefused, type Value } from '../index.ts'

const KINDS = ['HASH', 'LRU_HASH', 'PERCPU_HASH', 'LRU_PERCPU_HASH', 'ARRAY', 'PERCPU_ARRAY'] as const
const keyed = (kind: string) => `struct { __uint(type, BPF_MAP_TYPE_${kind}); __uint(max_entries, 65536);
  __type(key, __u32); __type(value, __u64); } in_${kind.toLowerCase()} SEC(".maps");`
const count = (kind: string) => `
  value = bpf_map_lookup_elem(&in_${kind.toLowerCase()}, &port);
  if (value) __sync_fetch_and_add(value, 1);
  else bpf_map_update_elem(&in_${kind.toLowerCase()}, &port, &one, BPF_ANY);`

/** Of a type that is nobody's (IEEE 802): a wire that has only just come up brings frames of the kernel's own. */
const OURS_TYPE = 0x88b5
const OURS = `
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
static int is_ours(struct xdp_md *ctx) {
  struct ethhdr *eth = (void *)(long)ctx->data;
  return (void *)(eth + 1) <= (void *)(long)ctx->data_end && eth->h_proto == bpf_htons(${OURS_TYPE});
}
`

const EVERY_KIND = `${HEADERS}${PORT}
struct prefix { __u32 length; __u8 bytes[4]; };
struct event { __be32 source; __u16 port; char name[6]; };
struct seen { struct in6_addr from; enum { EARLY, LATE } when; __u8 card[6]; __s8 low : 4; };
${KINDS.map(keyed).join('\n')}
struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, 16); __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct prefix); __type(value, __u64); } prefixes SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 32); __type(key, __u32); __type(value, __u64); } size_hist SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 32); __type(key, __u32); __type(value, __u32); } log2_bytes SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } events SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __uint(key_size, 4); __uint(value_size, 4); } ports SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __type(key, __u32); __type(value, struct seen); } last SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __uint(key_size, 4); __uint(value_size, 2); } bare SEC(".maps");
__u64 total;
SEC("xdp") int every_kind(struct xdp_md *ctx) {
  int found = port_of(ctx);
  if (found < 0) return XDP_PASS;
  __u32 port = found, slot = 5, five = 5;
  __u64 one = 1, *value;
  ${KINDS.map(count).join('')}
  struct prefix prefix = { 32, { 10, 1, 2, 3 } };
  value = bpf_map_lookup_elem(&prefixes, &prefix);
  if (value) __sync_fetch_and_add(value, 1);
  value = bpf_map_lookup_elem(&size_hist, &slot);
  if (value) __sync_fetch_and_add(value, 1);
  struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (event) {
    __builtin_memcpy(event, &(struct event){ bpf_ntohl(0xc6336402), port, "hello" }, sizeof(*event));
    bpf_ringbuf_submit(event, 0);
  }
  bpf_perf_event_output(ctx, &ports, BPF_F_CURRENT_CPU, &port, sizeof(port));
  struct seen seen = { .when = LATE, .card = { 2, 0, 0, 0, 0, 1 }, .low = 3 };
  seen.from.in6_u.u6_addr8[0] = 0xfd;
  seen.from.in6_u.u6_addr8[15] = 1;
  bpf_map_update_elem(&last, &five, &seen, BPF_ANY);
  bpf_map_update_elem(&bare, &five, &five, BPF_ANY);
  __sync_fetch_and_add(&total, 1);
  return XDP_PASS;
}
`.replace('#include <bpf/bpf_helpers.h>', '#include <bpf/bpf_helpers.h>\n#include <bpf/bpf_endian.h>')

/** Resolves to the problem that `load` names, with its hint. */
async function refusal(loading: Promise<LoadedProgram>): Promise<ProgramRefused> {
  return loading.then(
    () => assert.fail('it was loaded'),
    (error: ProgramRefused) => error,
  )
}

describe('a program of one’s own', { skip: NO_PACKETS }, () => {
  for (const mode of ['native', 'generic'] as const) {
    test(`five packets to port 5005 are in a map of every kind (${mode})`, async (t) => {
      const { wire, program } = await start(t, EVERY_KIND, { mode })
      assert.equal(program.mode, mode)
      const { maps } = program
      const [events, ports]: Value[][] = [[], []]
      maps.events!.onEvent((event) => events!.push(event))
      maps.ports!.onEvent((event, { cpu }) => ports!.push({ event, cpu: cpu! }))
      maps.prefixes!.set('10.0.0.0/8', 7)
      maps.prefixes!.set('192.0.2.128/25', 1n)
      await wire.send(five)
      await eventually(() => maps.in_hash!.get(5005) === 5)
      for (const kind of KINDS) {
        const map = maps[`in_${kind.toLowerCase()}`]!
        assert.equal(map.get(5005), 5, kind)
        assert.deepEqual(map.get(5006), kind.endsWith('ARRAY') ? 0 : undefined)
        const byCpu = map.byCpu(5005)!
        assert.equal(byCpu.length, map.isPerCpu ? libbpfHere().cpus : 1)
        assert.equal(
          byCpu.reduce<number>((sum, part) => sum + Number(part), 0),
          5,
        )
        if (!kind.endsWith('ARRAY')) assert.deepEqual(map.entries(), [[5005, 5]])
      }
      assert.deepEqual(maps.prefixes!.entries().toSorted(), [
        ['10.0.0.0/8', 12],
        ['192.0.2.128/25', 1],
      ])
      assert.deepEqual(maps.size_hist!.histogram().at(-1), { low: 32, high: 63, count: 5 })
      assert.deepEqual([maps.size_hist!.look, maps.log2_bytes!.look], ['histogram', 'histogram'])
      const seen = { from: 'fd00::1', when: 'LATE', card: '02:00:00:00:00:01', low: 3 }
      assert.deepEqual(maps.last!.entries(), [[5, seen]])
      assert.deepEqual(maps.bare!.entries(), [['0x05000000', '0x0500']])
      assert.deepEqual(maps['program.bss']!.variables(), { total: 5 })
      await eventually(() => events!.length === 5 && ports!.length === 5)
      assert.deepEqual(events![4], { source: '198.51.100.2', port: 5005, name: 'hello' })
      assert.equal((ports![0] as { event: Value }).event, 5005)
    })
  }

  for (const mode of ['native', 'generic'] as const) {
    test(`all five actions are counted, and done (${mode})`, async (t) => {
      const source = `${HEADERS}${PORT}
struct { __uint(type, BPF_MAP_TYPE_DEVMAP); __uint(max_entries, 1); __type(key, __u32); __type(value, __u32); } out SEC(".maps");
SEC("xdp") int by_port(struct xdp_md *ctx) {
  switch (port_of(ctx)) {
  case 1: return XDP_ABORTED;
  case 2: return XDP_DROP;
  case 3: return XDP_TX;
  case 4: return bpf_redirect_map(&out, 0, 0);
  case 5: return 77;
  default: return XDP_PASS;
  }
}`
      const { wire, program } = await start(t, source, { mode })
      const before = await receivedThere(wire)
      program.maps.out!.set(0, libbpfHere().interfaceIndex(wire.name)!)
      await wire.send([1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5].map((port) => datagram(port)))
      await eventually(() => program.actions()!.redirect === 4 && program.actions()!.other === 1)
      const { pass, ...others } = program.actions()!
      assert.ok(pass >= 0)
      assert.deepEqual(others, { aborted: 1, drop: 2, tx: 3, redirect: 4, other: 1 })
      // What was sent back by TX and by REDIRECT arrives where it came from; a driver's veth asks for more at that end.
      if (mode === 'generic') await eventually(async () => (await receivedThere(wire)) >= before + 7)
    })
  }

  test('what it prints is followed, and lines of other programs are not', async (t) => {
    const source = `${HEADERS}${PORT}
SEC("xdp") int talk(struct xdp_md *ctx) {
  int port = port_of(ctx);
  if (port > 0) bpf_printk("port %d", port);
  return XDP_PASS;
}`
    const { wire, program } = await start(t, source)
    const another = await startWire(t, { name: 'edge1', here: ['203.0.113.1/24'], there: ['203.0.113.2/24'] })
    const file = sourceFile(t, source)
    const beside = await load(file, { interface: another.name })
    t.after(() => beside.close())
    const [ours, theirs]: string[][] = [[], []]
    const end = program.onTrace(({ text }) => ours!.push(text))
    beside.onTrace(({ text }) => theirs!.push(text))
    await wire.send([datagram(7), datagram(8)])
    await another.send([datagram(9)])
    await eventually(() => ours!.length >= 2 && theirs!.length >= 1)
    assert.deepEqual(ours, ['port 7', 'port 8'])
    assert.deepEqual(theirs, ['port 9'])
    assert.equal(program.linesLost, 0)
    end()
    await wire.send([datagram(10)])
    await eventually(() => program.actions()!.pass >= 3)
    program.drain()
    assert.equal(ours!.length, 2)
  })

  test('a program whose functions call each other as deep as can be runs uncounted, and says what that means', async (t) => {
    const depths = [1, 2, 3, 4, 5, 6, 7]
    const functions = depths.map(
      (n) =>
        `static __noinline int call${n}(struct xdp_md *ctx) { return ${n === 1 ? 'ctx->rx_queue_index' : `call${n - 1}(ctx)`} + ctx->ingress_ifindex; }`,
    )
    const source = `${HEADERS}${functions.join('\n')}
SEC("xdp") int deep(struct xdp_md *ctx) { return call7(ctx) == 77 ? XDP_DROP : XDP_PASS; }`
    const { program } = await start(t, source)
    assert.equal(program.actions(), undefined)
    assert.deepEqual(program.notes, [
      'actions are not counted, and lines that other programs print are shown among its own: its functions call each other as deep as can be',
    ])
    const talking = sourceFile(
      t,
      `${HEADERS}SEC("xdp") int talk(struct xdp_md *ctx) { bpf_printk("here"); return 2; }`,
    )
    using other = await load(talking, { interface: 'lo', mode: 'generic' })
    const lines: string[] = []
    program.onTrace(({ text }) => lines.push(text))
    other.try(ethernet(notIp()))
    program.drain()
    assert.deepEqual(lines, ['here'])
  })

  test('one that hands a function on, and one that has functions of its own, are counted', async (t) => {
    const source = `${HEADERS}${OURS}
__u64 turns;
static int turn(__u32 at, void *context) { __sync_fetch_and_add(&turns, 1); return 0; }
__noinline int whole(struct xdp_md *ctx, int more) { return ctx->rx_queue_index + more; }
SEC("xdp") int f(struct xdp_md *ctx) {
  if (!is_ours(ctx)) return XDP_PASS;
  bpf_loop(3, turn, 0, 0);
  return whole(ctx, ctx->ingress_ifindex) == 77 ? XDP_PASS : XDP_DROP;
}`
    const { program } = await start(t, source)
    assert.deepEqual(program.notes, [])
    assert.equal(program.try(ethernet(notIp(OURS_TYPE))).action, 'drop')
    assert.equal(program.actions()!.drop, 1)
    assert.deepEqual(program.maps['program.bss']!.variables(), { turns: 3 })
  })

  test('a packet is tried without the wire', async (t) => {
    const source = `${HEADERS}${OURS}SEC("xdp") int no(struct xdp_md *ctx) { return is_ours(ctx) ? XDP_DROP : XDP_PASS; }`
    const { program } = await start(t, source)
    const frame = ethernet(notIp(OURS_TYPE))
    assert.deepEqual(program.try(frame), { action: 'drop', packet: frame })
    assert.equal(program.actions()!.drop, 1)
  })

  test('an object is taken as well as a source', async (t) => {
    const wire = await startWire(t)
    const object = await compiled(t, `${HEADERS}SEC("prog") int any(struct xdp_md *ctx) { return XDP_PASS; }`)
    const file = sourceFile(t, '', 'any.o')
    writeFileSync(file, object)
    using program = await load(file, { interface: wire.name, mode: 'generic' })
    assert.deepEqual([program.name, program.mode], ['any', 'generic'])
  })

  test('a program that is there is not replaced, and nothing of the second one is left', async (t) => {
    const { wire } = await start(t, `${HEADERS}SEC("xdp") int one(struct xdp_md *ctx) { return XDP_PASS; }`)
    const file = sourceFile(t, `${HEADERS}SEC("xdp") int two(struct xdp_md *ctx) { return XDP_PASS; }`)
    for (const mode of ['auto', 'native', 'generic'] as const) {
      const error = await refusal(load(file, { interface: wire.name, mode }))
      assert.equal(error.code, 'interface-refused')
      assert.match(
        error.message,
        /^edge0: an XDP program of somebody else is there already \(program \d+, "one", native\)/,
      )
    }
  })

  test('attached and detached a hundred times, nothing is left behind', async (t) => {
    const wire = await startWire(t)
    const object = await compiled(t, EVERY_KIND)
    const file = sourceFile(t, '', 'every.o')
    writeFileSync(file, object)
    const descriptors = () => readdirSync('/proc/self/fd').length
    const once = async (isFollowed: boolean) => {
      using program = await load(file, { interface: wire.name })
      if (!isFollowed) return
      program.onTrace(() => undefined)
      program.maps.events!.onEvent(() => undefined)
      program.maps.ports!.onEvent(() => undefined)
    }
    await once(true)
    const before = descriptors()
    for (let n = 0; n < 100; n++) await once(n % 10 === 0)
    // A descriptor that the event loop watched is closed a turn later.
    await eventually(() => descriptors() <= before)
    assert.deepEqual(libbpfHere().attached(libbpfHere().interfaceIndex(wire.name)!), [])
  })

  const program = (body: string, name = 'f') => `${HEADERS}
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8); __type(key, __u32); __type(value, __u64); } counts SEC(".maps");
SEC("xdp") int ${name}(struct xdp_md *ctx)
{
	${body}
}
`
  const REFUSED: readonly (readonly [what: string, source: string, message: RegExp, hint: RegExp])[] = [
    [
      'a read behind the end of the packet',
      program('return *(char *)(long)ctx->data;'),
      /program\.c:10:2: the verifier refuses it: invalid access to packet.*\n10 \|  return \*\(char.*\n.*\^\ninstruction \d+: r0 = \*\(u8 \*\)\(r1 \+0\)/,
      /compare with the end of the packet/,
    ],
    [
      'a lookup that is not tested',
      program('__u32 k = 0; return *(__u64 *)bpf_map_lookup_elem(&counts, &k);'),
      /map_value_or_null/,
      /test it before it is used/,
    ],
    [
      'a loop without an end',
      program('volatile int i = 0; while (ctx->ingress_ifindex + i) i++; return XDP_PASS;'),
      /program\.c:10:\d+: the verifier refuses it: infinite loop detected/,
      /a loop needs a bound/,
    ],
    [
      'a function that is not there',
      program('return missing(ctx);'),
      /program\.c:10:9: .*missing.*\n10 \|  return missing\(ctx\);\n.*\^/s,
      /mend what is named/,
    ],
    [
      'a header that is not there',
      '#include "vmlinux.h"\nSEC("xdp") int f(void *ctx) { return 0; }',
      /program\.c:1:10: 'vmlinux\.h' file not found/,
      /bpftool btf dump file \/sys\/kernel\/btf\/vmlinux/,
    ],
    ['no program', `${HEADERS}int nothing;`, /program\.c: it holds no XDP program/, /SEC\("xdp"\)/],
    [
      'a map of BCC that is not supported',
      'BPF_STACK_TRACE(stacks, 10);\nBPF_HASH(counts);\nint f(struct xdp_md *ctx) {\n  counts.zero();\n  return 2;\n}',
      /program\.c:1:1: BPF_STACK_TRACE of BCC is not supported.*\n.*\n.*\n.*program\.c:4:3: counts\.zero\(\) of BCC is not supported; supported are lookup,/s,
      /mend what is named/,
    ],
    [
      'a map of the old kind',
      `${HEADERS}struct bpf_map_def { int type, key_size, value_size, max_entries; };
struct bpf_map_def SEC("maps") old = { 1, 4, 4, 8 };
SEC("xdp") int f(struct xdp_md *ctx) { int k = 0; bpf_map_lookup_elem(&old, &k); return 2; }`,
      /legacy map definitions/,
      /declare maps by their types/,
    ],
  ]
  for (const [what, source, message, hint] of REFUSED) {
    test(`${what} is refused with its place, and what would be right`, async (t) => {
      const wire = await startWire(t)
      const error = await refusal(load(sourceFile(t, source), { interface: wire.name }))
      assert.equal(error.code, 'program-invalid')
      assert.match(error.message, message)
      assert.match(error.hint, hint)
      assert.deepEqual(libbpfHere().attached(libbpfHere().interfaceIndex(wire.name)!), [])
    })
  }

  test('a function is named where there are several, and one that is not there is told with those that are', async (t) => {
    const wire = await startWire(t)
    const file = sourceFile(
      t,
      `${HEADERS}SEC("xdp") int first(struct xdp_md *ctx) { return 2; }\nSEC("xdp") int second(struct xdp_md *ctx) { return *(int *)(long)ctx->data; }`,
    )
    const options = { interface: wire.name }
    assert.match(
      (await refusal(load(file, options))).message,
      /say which function: its programs are first, second$/,
    )
    const error = await refusal(load(file, { ...options, function: 'frist' }))
    assert.match(error.message, /no program "frist"; its programs are first, second; did you mean first\?/)
    // The other one, which the verifier would not take, is not loaded.
    using program = await load(file, { ...options, function: 'first' })
    assert.equal(program.name, 'first')
  })

  test('wrong keys and values name the map and what would be right', async (t) => {
    const { program } = await start(t, EVERY_KIND)
    const { in_hash: hash, prefixes, events } = program.maps
    assert.throws(() => hash!.set('x', 1), { message: 'map in_hash: expected a number, not a text' })
    assert.throws(() => hash!.set(2 ** 32, 1), {
      message: 'map in_hash: 4294967296 does not fit into 4 bytes',
    })
    assert.throws(() => hash!.set(1.5, 1), /expected a whole number, not 1.5/)
    assert.throws(
      () => prefixes!.set('10.0.0.0/33', 1),
      /map prefixes: expected a prefix such as 10\.0\.0\.0\/8/,
    )
    assert.throws(() => hash!.onEvent(() => undefined), /map in_hash is of type hash: it has no events/)
    assert.equal(events!.look, 'events')
    hash!.set(80, 2n ** 63n)
    assert.equal(hash!.get(80), 2n ** 63n)
    assert.equal(hash!.delete(80), true)
  })
})

/** Frames that came back to the other end. */
async function receivedThere(wire: Wire): Promise<number> {
  const { stdout } = await wire.there('ip', '-s', '-j', 'link', 'show', wire.peer)
  const [link] = JSON.parse(stdout) as [{ readonly stats64: { readonly rx: { readonly packets: number } } }]
  return link.stats64.rx.packets
}
