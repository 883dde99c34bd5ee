import assert from 'node:assert/strict'
import { test } from 'node:test'
import { complaintOf } from './verifier-complaint.ts'

const SOURCE = `#include <linux/bpf.h>
int f(struct xdp_md *ctx)
{
	char *data = (void *)(long)ctx->data;
	return data[0];
}
`
const within = (log: string) => `libbpf: prog 'f': BPF program load failed: Permission denied
libbpf: prog 'f': -- BEGIN PROG LOAD LOG --
${log}
processed 4 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
-- END PROG LOAD LOG --
libbpf: prog 'f': failed to load: -13
`

test('the line of a kernel that says file and line is taken from it', () => {
  const log = within(`0: R1=ctx() R10=fp0
; char *data = (void *)(long)ctx->data; @ prog.c:4
0: (61) r1 = *(u32 *)(r1 +0)          ; R1_w=pkt(off=0,r=0)
; return data[0]; @ prog.c:5
1: (71) r0 = *(u8 *)(r1 +0)
invalid access to packet, off=0 size=1, R1(id=0,off=0,r=0)
R1 offset is outside of the packet`)
  const { message, line, column, hint } = complaintOf(log, '/home/somebody/prog.c', SOURCE)!
  assert.deepEqual([line, column], [5, 2])
  assert.equal(
    message,
    [
      'the verifier refuses it: invalid access to packet, off=0 size=1, R1(id=0,off=0,r=0)',
      'instruction 1: r0 = *(u8 *)(r1 +0)',
      'R1 offset is outside of the packet',
    ].join('\n'),
  )
  assert.match(hint!, /^compare with the end of the packet/)
})

test('an older kernel tells the text of the line alone: it is found in the source', () => {
  const log = within(`; return data[0];
1: (71) r0 = *(u8 *)(r1 +0)
invalid access to packet, off=0 size=1, R1(id=0,off=0,r=0)`)
  assert.equal(complaintOf(log, 'prog.c', SOURCE)!.line, 5)
})

test('a line that the source holds twice, or that comes from a header, is shown as text', () => {
  const twice = `${SOURCE}int g(struct xdp_md *ctx)\n{\n\tchar *data = 0;\n\treturn data[0];\n}\n`
  const log = within(`; return data[0];\n1: (71) r0 = *(u8 *)(r1 +0)\nR1 invalid mem access 'scalar'`)
  const { line, message } = complaintOf(log, 'prog.c', twice)!
  assert.equal(line, undefined)
  assert.match(
    message,
    /^the verifier refuses it: R1 invalid mem access 'scalar'\nin: return data\[0\];\ninstruction 1: /,
  )
  const header = within(`; x(); @ other.h:7\n1: (85) call unknown#99\nunknown func unknown#99`)
  assert.match(complaintOf(header, 'prog.c', SOURCE)!.message, /\nin: x\(\); \(other\.h:7\)\n/)
})

test('states of registers and notes between are left out', () => {
  const log = within(`func#0 @0
; return data[0];
1: (71) r0 = *(u8 *)(r1 +0)           ; R0_w=scalar() R1=ctx()
2: (95) exit
R0 !read_ok
from 3 to 5: R0=1
mark_precise: frame0: last_idx 5`)
  const { message, hint } = complaintOf(log, 'prog.c', undefined)!
  assert.equal(message, 'the verifier refuses it: R0 !read_ok\nin: return data[0];\ninstruction 2: exit')
  assert.match(hint!, /not set on every way/)
})

test('a complaint without an instruction is the last that was said', () => {
  const { message } = complaintOf(
    within('BPF program is too large. Processed 1000001 insn'),
    'prog.c',
    SOURCE,
  )!
  assert.equal(message, 'the verifier refuses it: BPF program is too large. Processed 1000001 insn')
})

test('a log of libbpf alone is none of the verifier’s', () => {
  assert.equal(complaintOf('libbpf: failed to open file\n', 'prog.c', SOURCE), undefined)
})
