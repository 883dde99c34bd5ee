/** What `orla/packet` makes of calls that no compiler let through, and of those that come too late. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { leaveNetwork } from '../../../test/harness/network.ts'
import { HEADERS, NO_PACKETS, sourceFile } from '../testing/compiled.support.ts'
import { load, type LoadOptions } from '../index.ts'

const SOURCE = `${HEADERS}
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8); __type(key, __u32); __type(value, __u64); } counts SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } events SEC(".maps");
SEC("xdp") int f(struct xdp_md *ctx) { return bpf_map_lookup_elem(&counts, &(__u32){ 1 }) ? XDP_DROP : XDP_PASS; }`

describe('orla/packet', { skip: NO_PACKETS }, () => {
  before(() => leaveNetwork())

  const WRONG: readonly (readonly [file: unknown, options: unknown, message: RegExp])[] = [
    [undefined, { interface: 'lo' }, /give the path of a program/],
    ['f.c', undefined, /name the network interface/],
    ['f.c', {}, /name the network interface/],
    ['f.c', { interface: 7 }, /name the network interface/],
    ['f.c', { interface: '' }, /name the network interface/],
    ['f.c', { interface: 'lo', mode: 'fast' }, /mode is one of auto, native, generic, offload, not fast/],
    ['f.c', { interface: 'lo', function: 1 }, /function is the name of one/],
  ]
  for (const [file, options, message] of WRONG) {
    test(`load(${JSON.stringify(file)}, ${JSON.stringify(options)}) is a TypeError`, async () => {
      await assert.rejects(load(file as string, options as LoadOptions), { name: 'TypeError', message })
    })
  }

  test('when a program was closed, its maps and itself say so, and nothing else is read in their place', async (t) => {
    const program = await load(sourceFile(t, SOURCE), { interface: 'lo', mode: 'generic' })
    const { counts, events } = program.maps
    counts!.set(1, 2)
    program.detach()
    assert.equal(counts!.get(1), 2)
    assert.equal(program.isGone(), false)
    program.close()
    program.close()
    const late: readonly (() => unknown)[] = [
      () => counts!.get(1),
      () => counts!.byCpu(1),
      () => counts!.entries(),
      () => counts!.set(1, 2),
      () => counts!.delete(1),
      () => counts!.raw,
      () => events!.onEvent(() => undefined),
      () => program.actions(),
      () => program.try(Buffer.alloc(64)),
      () => program.onTrace(() => undefined),
    ]
    for (const call of late) assert.throws(call, { name: 'TypeError', message: /was closed$/ })
    program.drain()
    assert.equal(program.linesLost, 0)
  })
})
