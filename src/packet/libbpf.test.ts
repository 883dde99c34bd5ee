import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { describe, test, type TestContext } from 'node:test'
import { eventually } from '../../test/harness/eventually.ts'
import { startWire } from '../../test/harness/network.ts'
import type { BpfFailure } from './libbpf-failure.ts'
import type { BpfObject } from './libbpf-object.ts'
import { compiled, libbpfHere, NO_PACKETS } from './testing/compiled.support.ts'
import { ethernet, ipv4, udp } from './testing/frames.ts'

const COUNTING = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 2); __type(key, __u32); __type(value, __u64); } packets SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 1000); __type(key, __u32); __type(value, __u64); } seen SEC(".maps");
struct trie_key { __u32 length; __u8 bytes[4]; };
struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, 20000); __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct trie_key); __type(value, __u8); } banned SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } sizes SEC(".maps");
SEC("xdp") int count(struct xdp_md *ctx) {
  __u32 key = 0, size = ctx->data_end - ctx->data;
  __u64 *n = bpf_map_lookup_elem(&packets, &key);
  if (n) *n += 1;
  bpf_ringbuf_output(&sizes, &size, sizeof size, 0);
  return XDP_PASS;
}
SEC("xdp") int drop(struct xdp_md *ctx) { return XDP_DROP; }
char _license[] SEC("license") = "GPL";
`
const BROKEN = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("xdp") int peek(struct xdp_md *ctx) { return *(char *)(long)ctx->data; }
`

describe('libbpf', { skip: NO_PACKETS }, () => {
  const libbpf = NO_PACKETS ? (undefined as never) : libbpfHere()

  async function open(t: TestContext): Promise<BpfObject> {
    const object = libbpf.open(await compiled(t, COUNTING), 'counting')
    t.after(() => object.close())
    return object
  }
  async function load(t: TestContext): Promise<BpfObject> {
    const object = await open(t)
    object.load()
    return object
  }

  test('an object tells its programs and maps before anything is in the kernel', async (t) => {
    const object = await open(t)
    assert.deepEqual(
      object.programs.map(({ name, section, isXdp }) => [name, section, isXdp]),
      [
        ['count', 'xdp', true],
        ['drop', 'xdp', true],
      ],
    )
    const maps = object.maps.map(({ name, type, keyBytes, valueBytes }) => [name, type, keyBytes, valueBytes])
    assert.deepEqual(maps.toSorted(), [
      ['banned', 'lpm_trie', 8, 1],
      ['packets', 'percpu_array', 4, 8],
      ['seen', 'hash', 4, 8],
      ['sizes', 'ringbuf', 0, 0],
    ])
    assert.equal(object.btf()?.readUInt16LE(0), 0xeb9f)
  })

  test('what is no object is refused in words of libbpf', () => {
    assert.throws(
      () => libbpf.open(Buffer.from('no elf'), 'poem'),
      (error: BpfFailure) => {
        assert.match(error.message, /^cannot read poem: /)
        assert.match(error.log, /not a proper ELF object/)
        return true
      },
    )
  })

  test('the log of the verifier comes with the failure', async (t) => {
    const object = libbpf.open(await compiled(t, BROKEN), 'broken')
    assert.throws(
      () => object.load(),
      (error: BpfFailure) => {
        assert.equal(error.code, 'EACCES')
        assert.match(error.log, /invalid access to packet/)
        return true
      },
    )
  })

  test('entries are written, read, listed and deleted, alone and many at once', async (t) => {
    const object = await load(t)
    for (const name of ['seen', 'banned']) {
      const map = object.map(name)!
      const key = (n: number) => {
        const bytes = Buffer.alloc(map.keyBytes)
        bytes.writeUInt32LE(name === 'seen' ? n : 32)
        if (name === 'banned') bytes.writeUInt32BE(n, 4)
        return bytes
      }
      const value = (n: number) => Buffer.alloc(map.valueBytes, n)
      map.setMany(Array.from({ length: 500 }, (_, n) => [key(n), value(n % 250)] as const))
      assert.deepEqual(map.get(key(77)), value(77))
      assert.equal([...map.entries()].length, 500)
      map.set(key(77), value(1))
      assert.deepEqual(map.get(key(77)), value(1))
      assert.equal(map.delete(key(77)), true)
      assert.equal(map.delete(key(77)), false)
      assert.equal(map.get(key(77)), undefined)
      // Some of these are not there: 77, and those from 500 on.
      map.deleteMany(Array.from({ length: 600 }, (_, n) => key(n)))
      assert.equal([...map.keys()].length, 0)
      map.setMany([])
      map.deleteMany([])
      assert.throws(() => map.get(Buffer.alloc(3)), /map \w+: a key has \d bytes, not 3/)
    }
  })

  test('a full map says so', async (t) => {
    const object = await load(t)
    const map = object.map('seen')!
    const entry = (n: number) => [Buffer.from(Uint32Array.of(n).buffer), Buffer.alloc(8)] as const
    map.setMany(Array.from({ length: 1000 }, (_, n) => entry(n)))
    assert.throws(() => map.set(...entry(1000)), { name: 'BpfFailure', code: 'E2BIG' })
  })

  for (const mode of ['native', 'generic'] as const) {
    test(`a program runs on an interface in ${mode} mode, and counts by CPU`, async (t) => {
      const wire = await startWire(t)
      const object = await load(t)
      const index = libbpf.interfaceIndex(wire.name)!
      const sizes: number[] = []
      const follower = libbpf.followRing(object.map('sizes')!, (sample) => sizes.push(sample.readUInt32LE()))
      assert.deepEqual(libbpf.attached(index), [])
      const link = libbpf.attachXdp(object.program('count')!.fd, index, mode)
      const programId = libbpf.programId(object.program('count')!.fd)!
      assert.deepEqual(libbpf.attached(index), [{ mode, programId, programName: 'count' }])
      const { id, ...about } = libbpf.linkInfo(link.fd)!
      assert.ok(id > 0)
      assert.deepEqual(about, { programId, interfaceIndex: index })
      const frame = ethernet(ipv4({ from: '198.51.100.2', to: '198.51.100.1' }, udp(5005, Buffer.alloc(100))))
      await wire.send([frame, frame, frame])
      const counted = () => {
        const map = object.map('packets')!
        const parts = map.valuesOf(map.get(Buffer.alloc(4))!)
        assert.equal(parts.length, libbpf.cpus)
        return parts.reduce((sum, part) => sum + Number(part.readBigUInt64LE()), 0)
      }
      await eventually(() => counted() >= 3)
      await eventually(() => sizes.filter((size) => size === frame.length).length === 3)
      follower.close()
      link.detach()
      link.detach()
      assert.deepEqual(libbpf.attached(index), [])
    })
  }

  test('a full ring buffer is read in parts, between which the event loop has its turn, or at once by drain', async (t) => {
    const object = await open(t)
    const [program, ring] = [object.program('count')!, object.map('sizes')!]
    ring.setEntriesMax(1 << 18)
    object.load()
    const fill = () => {
      for (let n = 0; n < 10_000; n++) program.testRun(Buffer.alloc(64))
    }
    const readAt: number[] = []
    let turn = 0
    let isOver = false
    const nextTurn = () => {
      turn++
      if (!isOver) setImmediate(nextTurn)
    }
    const follower = libbpf.followRing(ring, () => readAt.push(turn))
    t.after(() => {
      isOver = true
      follower.close()
    })
    fill()
    nextTurn()
    await eventually(() => readAt.length === 10_000)
    const inTurn = [...Map.groupBy(readAt, (at) => at).values()].map((samples) => samples.length)
    assert.ok(Math.max(...inTurn) <= 4096, `${inTurn.join(', ')} were read in a turn`)
    fill()
    follower.drain()
    assert.equal(readAt.length, 20_000)
  })

  test('a program that is attached is never replaced', async (t) => {
    const wire = await startWire(t)
    const [first, second] = [await load(t), await load(t)]
    const index = libbpf.interfaceIndex(wire.name)!
    const link = libbpf.attachXdp(first.program('count')!.fd, index, 'native')
    const drop = second.program('drop')!.fd
    assert.throws(() => libbpf.attachXdp(drop, index, 'native'), { code: 'EBUSY' })
    assert.throws(() => libbpf.attachXdp(drop, index, 'generic'), { code: 'EEXIST' })
    assert.equal(libbpf.attached(index)[0]?.programName, 'count')
    link.detach()
  })

  test('a packet is tried without an interface', async (t) => {
    const object = await load(t)
    const run = object.program('drop')!.testRun(Buffer.alloc(64, 7), 10)
    assert.equal(run.returned, 1)
    assert.deepEqual(run.packet, Buffer.alloc(64, 7))
  })

  test('an interface that is not there has no number', () => {
    assert.equal(libbpf.interfaceIndex('orla-none'), undefined)
  })

  test('opening and closing leaves no descriptor', async (t) => {
    const wire = await startWire(t)
    const bytes = await compiled(t, COUNTING)
    const descriptors = () => readdirSync('/proc/self/fd').length
    const once = () => {
      const object = libbpf.open(bytes, 'counting')
      object.load()
      const index = libbpf.interfaceIndex(wire.name)!
      const link = libbpf.attachXdp(object.program('count')!.fd, index, 'native')
      libbpf.followRing(object.map('sizes')!, () => undefined).close()
      link.detach()
      object.close()
      return libbpf.attached(index)
    }
    once()
    const before = descriptors()
    for (let n = 0; n < 100; n++) assert.deepEqual(once(), [])
    assert.equal(descriptors(), before)
  })
})
