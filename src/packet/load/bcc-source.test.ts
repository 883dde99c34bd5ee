import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isBcc, rewriteBcc } from './bcc-source.ts'
import { eventTypes } from './event-types.ts'

const CASES: readonly (readonly [what: string, source: string, rewritten: string])[] = [
  ['a method', 'BPF_HASH(m); m.lookup(&k);', 'BPF_HASH(m); bcc_lookup(m, &k);'],
  [
    'one with spaces, over two lines',
    'BPF_HASH(m);\nm . update (\n&k, &v);',
    'BPF_HASH(m);\nbcc_update(m, \n&k, &v);',
  ],
  ['one of what is no map', 'BPF_HASH(m); other.lookup(&k);', 'BPF_HASH(m); other.lookup(&k);'],
  [
    'one in a comment and in a text',
    'BPF_HASH(m); // m.lookup(&k)\n"m.lookup(k)";',
    'BPF_HASH(m); // m.lookup(&k)\n"m.lookup(k)";',
  ],
  [
    'one within another',
    'BPF_HASH(m); m.update(&k, m.lookup(&j));',
    'BPF_HASH(m); bcc_update(m, &k, bcc_lookup(m, &j));',
  ],
  [
    'a table',
    'BPF_TABLE("lru_hash", u32, struct v, m, 8); m.delete(&k);',
    'BPF_LRU_HASH(m, u32, struct v, 8); bcc_delete(m, &k);',
  ],
  ['a table that is an array', 'BPF_TABLE("array", int, u64, m, 8);', 'BPF_ARRAY(m, u64, 8);'],
  ['a histogram by struct', 'BPF_HISTOGRAM(h, struct key);', 'BPF_HASH(h, struct key, u64);'],
  ['a histogram by number', 'BPF_HISTOGRAM(h, int, 20);', 'BPF_HISTOGRAM(h, int, 20);'],
  ['a histogram by port', 'BPF_HISTOGRAM(h, unsigned int, 4 * 8);', 'BPF_HASH(h, unsigned int, u64, 4 * 8);'],
  ['a header of the kernel', '#include <uapi/linux/ip.h>', '#include <linux/ip.h>'],
  ['a print', 'bpf_trace_printk("a\\n", 1);', 'bpf_printk("a\\n", 1);'],
  ['a print with its length', 'bpf_trace_printk(text, 4);', 'bpf_trace_printk(text, 4);'],
  ['a function', 'int f(struct xdp_md *ctx) {', 'SEC("xdp") int f(struct xdp_md *ctx) {'],
  ['a function that is static', 'static int f(struct xdp_md *ctx) {', 'static int f(struct xdp_md *ctx) {'],
  [
    'one with a section',
    'SEC("xdp")\nint f(struct xdp_md *ctx) {',
    'SEC("xdp")\nint f(struct xdp_md *ctx) {',
  ],
  ['one that only says what comes', 'int f(struct xdp_md *ctx);', 'int f(struct xdp_md *ctx);'],
]
for (const [what, source, rewritten] of CASES) {
  test(`${what} of BCC`, () => {
    const result = rewriteBcc(source)
    assert.deepEqual(result.problems, [])
    assert.equal(result.source.replace(/\nchar bcc_license.*\n$/, ''), rewritten)
  })
}

test('lines keep their numbers', () => {
  const source =
    'BPF_TABLE("hash",\n  u32,\n  u64,\n  m, 8);\nint f(struct xdp_md *ctx) {\n  m\n  .lookup(&k);\n}\n'
  const lines = rewriteBcc(source).source.split('\n')
  assert.equal(lines[4], 'SEC("xdp") int f(struct xdp_md *ctx) {')
  assert.equal(lines[7], '}')
})

test('a license is added where there is none', () => {
  assert.match(rewriteBcc('int x;').source, /SEC\("license"\) = "GPL"/)
  assert.doesNotMatch(rewriteBcc('BPF_LICENSE(Dual BSD/GPL);').source, /bcc_license/)
  assert.doesNotMatch(rewriteBcc('char l[] SEC("license") = "MIT";').source, /bcc_license/)
})

test('what is not supported is named with its place', () => {
  const source =
    'BPF_STACK_TRACE(s, 9);\nBPF_HASH(m);\n#include <bcc/proto.h>\n#define BPF_OWN(x) x\nBPF_OWN(y);\nint g() { m.zero(); }'
  const places = rewriteBcc(source).problems.map(({ line, column, message }) => [
    line,
    column,
    message.split(';')[0],
  ])
  assert.deepEqual(places.toSorted(), [
    [1, 1, 'BPF_STACK_TRACE of BCC is not supported'],
    [3, 11, 'headers of BCC are not here'],
    [6, 11, 'm.zero() of BCC is not supported'],
  ])
})

test('a source is for BCC where it declares maps so, or names no section', () => {
  assert.equal(isBcc('BPF_HASH(m);'), true)
  assert.equal(isBcc('int f(struct xdp_md *ctx) { return 2; }'), true)
  assert.equal(isBcc('SEC("xdp") int f(struct xdp_md *ctx) { return 2; }'), false)
  assert.equal(isBcc('// BPF_HASH(m)\nSEC("xdp") int f(struct xdp_md *ctx) { return 2; }'), false)
})

const EVENTS: readonly (readonly [what: string, source: string, type: string])[] = [
  ['reserved', 'struct event *e = bpf_ringbuf_reserve(&m, sizeof(*e), 0);', 'struct event'],
  [
    'declared before it is reserved',
    'struct event *e; e = bpf_ringbuf_reserve(&m, sizeof(*e), 0);',
    'struct event',
  ],
  [
    'reserved by its type',
    'struct event { int a; }; void *e = bpf_ringbuf_reserve(&m, sizeof(struct event), 0);',
    'struct event',
  ],
  [
    'reserved by a name for its type',
    'typedef struct { int a; } event_t; x = bpf_ringbuf_reserve(&m, sizeof(event_t), 0);',
    'event_t',
  ],
  ['copied', '__u32 size = 7; bpf_ringbuf_output(&m, &size, sizeof size, 0);', '__u32'],
  [
    'copied to a perf buffer',
    'struct event e = {}; bpf_perf_event_output(ctx, &m, BPF_F_CURRENT_CPU, &e, sizeof(e));',
    'struct event',
  ],
  ['submitted as in BCC', 'struct data_t d = {}; m.perf_submit(ctx, &d, sizeof(d));', 'struct data_t'],
  ['reserved as in BCC', 'struct data_t *d = m.ringbuf_reserve(sizeof(struct data_t));', 'struct data_t'],
]
for (const [what, source, type] of EVENTS) {
  test(`the type of an event is known that is ${what}`, () => {
    assert.equal(eventTypes(source), `\n${type} *const volatile orla_event_m = (${type} *)0;\n`)
  })
}

test('an event of which nothing is known gets no type', () => {
  assert.equal(eventTypes('bpf_ringbuf_output(&m, given, 8, 0);'), '')
  assert.equal(eventTypes('// struct event e; bpf_ringbuf_output(&m, &e, 8, 0);'), '')
})
