/** Programs written for BCC, run as they are, with real packets. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { eventually } from '../../../test/harness/eventually.ts'
import type { Value } from '../index.ts'
import { datagram, five, NO_PACKETS, PORT, start } from '../testing/compiled.support.ts'

describe('a program for BCC', { skip: NO_PACKETS }, () => {
  test('a program for BCC runs as it is', async (t) => {
    const source = `#include <uapi/linux/bpf.h>
${PORT}
struct data_t { u32 port; u16 size; };
struct size_key { u32 slot; };
BPF_HASH(counts, u32);
BPF_TABLE("percpu_array", u32, u64, by_cpu, 2);
BPF_HISTOGRAM(sizes);
BPF_HISTOGRAM(by_struct, struct size_key);
BPF_PERF_OUTPUT(told);
BPF_RINGBUF_OUTPUT(ring, 8);
// counts.nothing() in a comment is left alone
int count(struct xdp_md *ctx) {
  int port = port_of(ctx);
  if (port < 0) return XDP_PASS;
  u32 key = port, first = 0; u64 zero = 0;
  (*counts.lookup_or_init(&key, &zero))++;
  counts.increment(key);
  counts.atomic_increment(key, 3);
  u64 *there = counts.lookup(&key);
  if (there) lock_xadd(there, 5);
  u64 *here = by_cpu.lookup(&first);
  if (here) *here += 1;
  sizes.increment(bpf_log2l(ctx->data_end - ctx->data));
  struct size_key struct_key = { 9 };
  by_struct.increment(struct_key);
  struct data_t data = { .port = key, .size = ctx->data_end - ctx->data };
  told.perf_submit(ctx, &data, sizeof(data));
  struct data_t *reserved = ring.ringbuf_reserve(sizeof(struct data_t));
  if (reserved) { *reserved = data; ring.ringbuf_submit(reserved, 0); }
  u32 gone = 1; counts.update(&gone, &zero); counts.delete(&gone);
  bpf_trace_printk("saw %d\\n", port);
  return XDP_PASS;
}
`
    const { wire, program } = await start(t, source)
    const { maps } = program
    const [told, lines]: Value[][] = [[], []]
    program.onTrace(({ text }) => lines!.push(text))
    maps.told!.onEvent((event) => told!.push(event))
    maps.ring!.onEvent((event) => told!.push(event))
    await wire.send(five)
    await eventually(() => told!.length === 10 && lines!.length === 5)
    assert.deepEqual(maps.counts!.entries(), [[5005, 50]])
    assert.equal(maps.by_cpu!.get(0), 5)
    assert.deepEqual(maps.sizes!.histogram().at(-1), { low: 32, high: 63, count: 5 })
    assert.deepEqual(maps.by_struct!.entries(), [[{ slot: 9 }, 5]])
    assert.deepEqual(told![0], { port: 5005, size: 52 })
    assert.equal(lines![0], 'saw 5005')
  })

  test('a program for BCC needs no headers, takes macros, and counts ports in a histogram', async (t) => {
    const source = `BPF_HISTOGRAM(counter, u64);
int udp_counter(struct xdp_md *ctx) {
  void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
  struct ethhdr *eth = data;
  if ((void *)eth + sizeof(*eth) > data_end) return XDP_PASS;
  struct iphdr *ip = data + sizeof(*eth);
  if ((void *)ip + sizeof(*ip) > data_end || ip->protocol != IPPROTO_UDP) return XDP_PASS;
  struct udphdr *udp = (void *)ip + sizeof(*ip);
  if ((void *)udp + sizeof(*udp) > data_end) return XDP_PASS;
  uint64_t port = htons(udp->dest);
  counter.increment(port);
  return port == DROPPED ? XDP_DROP : XDP_PASS;
}
`
    const { wire, program } = await start(t, source, { define: { DROPPED: 7999 } })
    await wire.send([...five, datagram(7999), datagram(7998)])
    await eventually(() => program.maps.counter!.get(7998) === 1)
    assert.deepEqual(program.maps.counter!.get(5005), 5)
    assert.equal(program.actions()!.drop, 1)
  })
})
