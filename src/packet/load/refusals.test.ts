/** What people write who learned it from older texts, or get nearly right: each is told what would be right. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { leaveNetwork } from '../../../test/harness/network.ts'
import { HEADERS, NO_PACKETS, sourceFile } from '../testing/compiled.support.ts'
import { load, type ProgramRefused } from '../index.ts'

const PASS = 'SEC("xdp") int f(struct xdp_md *ctx) { return XDP_PASS; }'
const map = (kind: string, rest: string) =>
  `struct { __uint(type, BPF_MAP_TYPE_${kind}); ${rest} } counts SEC(".maps");`
const using = (declaration: string) =>
  `${HEADERS}${declaration}
SEC("xdp") int f(struct xdp_md *ctx) { __u64 k = 1; return bpf_map_lookup_elem(&counts, &k) ? 1 : 2; }`
const TYPES = '__type(key, __u64); __type(value, __u64);'

interface Case {
  readonly what: string
  readonly source: string
  readonly function?: string
  readonly message: RegExp
  readonly hint: RegExp
}
const CASES: readonly Case[] = [
  {
    what: 'a map of libbpf before 1.0, whose struct its headers know no more,',
    source: `${HEADERS}struct bpf_map_def SEC("maps") old = { .type = BPF_MAP_TYPE_ARRAY };\n${PASS}`,
    message: /program\.c:6:32: .*incomplete type 'struct bpf_map_def'/,
    hint: /declare maps by their types/,
  },
  {
    what: 'a header of the kernel itself',
    source: '#include <linux/skbuff.h>\nint f(struct xdp_md *ctx) { return XDP_PASS; }',
    message: /program\.c:1:10: 'linux\/skbuff\.h' file not found/,
    hint: /headers of the kernel itself are not there for programs; leave it out/,
  },
  {
    what: 'a hash without room for an entry',
    source: using(map('HASH', `${TYPES} __uint(max_entries, 0);`)),
    message: /program\.c:6:\d+: the kernel does not make the map counts: Invalid argument\n6 \|/,
    hint: /room for nothing.*max_entries, 1024/,
  },
  {
    what: 'a trie without the flag that it asks for',
    source: using(map('LPM_TRIE', `${TYPES} __uint(max_entries, 8);`)),
    message: /program\.c:6:\d+: the kernel does not make the map counts/,
    hint: /map_flags, BPF_F_NO_PREALLOC/,
  },
  {
    what: 'a map that is larger than memory',
    source: using(
      map('HASH', '__type(key, __u64); __type(value, char[100000]); __uint(max_entries, 1000000000);'),
    ),
    message: /the kernel does not make the map counts/,
    hint: /^1000000000 entries, each with a key of 8 and a value of 100000 bytes/,
  },
  {
    what: 'a map of BCC that the kernel does not make',
    source: 'BPF_HASH(counts, u32, u64, 0);\nint f(struct xdp_md *ctx) { counts.increment(1); return 2; }',
    message: /program\.c:1:1: the kernel does not make the map counts/,
    hint: /room for nothing/,
  },
  {
    what: 'a file with programs for something else',
    source: `${HEADERS}SEC("tc") int f(struct __sk_buff *skb) { return 0; }`,
    message: /it holds no XDP program; it holds f \(SEC\("tc"\)\)/,
    hint: /SEC\("xdp"\)/,
  },
  {
    what: 'a function that is a program for something else',
    source: `${HEADERS}${PASS}\nSEC("tc") int shape(struct __sk_buff *skb) { return 0; }`,
    function: 'shape',
    message: /shape is no XDP program: its section is "tc"/,
    hint: /SEC\("xdp"\)/,
  },
  {
    what: 'a loop over the packet whose only bound is its end',
    source: `${HEADERS}SEC("xdp") int f(struct xdp_md *ctx) {
  unsigned char *at = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
  int sum = 0;
  while (at + 1 <= end) sum += *at++;
  return sum > 100 ? XDP_PASS : XDP_DROP;
}`,
    message: /the verifier refuses it: invalid access to packet, off=655\d\d/,
    hint: /a loop over it needs a bound/,
  },
  {
    what: 'a helper that is not for XDP',
    source: `${HEADERS}SEC("xdp") int f(struct xdp_md *ctx) { char b[4]; return bpf_skb_load_bytes((void *)ctx, 0, b, 4); }`,
    message: /the verifier refuses it: .*bpf_skb_load_bytes/,
    hint: /an XDP program, has no such function/,
  },
]

describe('a program that is nearly right', { skip: NO_PACKETS }, () => {
  before(() => leaveNetwork())

  const refusal = async (...[file, options]: Parameters<typeof load>): Promise<ProgramRefused> =>
    load(file, options).then(
      (program) => {
        program.close()
        return assert.fail('it was loaded')
      },
      (error: ProgramRefused) => error,
    )

  for (const { what, source, message, hint, ...more } of CASES) {
    test(`${what} is refused with what would be right`, async (t) => {
      const error = await refusal(sourceFile(t, source), { interface: 'lo', ...more })
      assert.equal(error.code, 'program-invalid')
      assert.match(error.message, message)
      assert.match(error.hint, hint)
    })
  }

  test('the name of a file may hold anything, and its place is told', async (t) => {
    const source = `${HEADERS}SEC("xdp") int f(struct xdp_md *ctx) {\n  return *(char *)(long)ctx->data;\n}`
    const error = await refusal(sourceFile(t, source, 'a "ü" b.c'), { interface: 'lo' })
    assert.match(error.message, /a "ü" b\.c:7:3: the verifier refuses it: invalid access to packet/)
  })

  test('a mark of byte order, and lines that end as on Windows, are taken', async (t) => {
    const source =
      '\ufeffBPF_HASH(ports, u16);\r\nint f(struct xdp_md *ctx)\r\n{\r\n  ports.increment(5005);\r\n  return 2;\r\n}'
    using program = await load(sourceFile(t, source), { interface: 'lo', mode: 'generic' })
    program.try(Buffer.alloc(64))
    assert.deepEqual(program.maps['ports']!.get(5005), 1)
  })

  for (const [clang, message] of [
    ['/bin/false', /^\/bin\/false ended with code 1 and said nothing: is it clang\?$/],
    ['/bin/true', /^\/bin\/true made no object of it: is it clang\?$/],
    ['/dev/null', /^\/dev\/null, which compiles program\.c, cannot be run \(EACCES\)$/],
    ['orla-no-clang', /^orla-no-clang is not installed, which compiles program\.c$/],
  ] as const) {
    test(`${clang} is not taken for a compiler`, async (t) => {
      const error = await refusal(sourceFile(t, `${HEADERS}${PASS}`), { interface: 'lo', clang })
      assert.equal(error.code, 'packet-unavailable')
      assert.match(error.message, message)
      assert.match(error.hint, /install clang/)
    })
  }
})
