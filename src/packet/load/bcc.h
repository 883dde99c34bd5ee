/*
 * What programs written for BCC take for granted: put in front of them, so that they compile with libbpf. `bcc-source.ts` turns a call such as
 * `counts.lookup(&key)` into `bcc_lookup(counts, &key)`.
 *
 * The macros are for sources that have them; every name of our own begins with `bcc_` or `orla_`.
 */
#include <stdint.h>
#include <linux/types.h>
#include <linux/bpf.h>
/* Headers of the kernel itself include each other; those for programs do not. */
#include <asm/byteorder.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s8 s8;
typedef __s16 s16;
typedef __s32 s32;
typedef __s64 s64;
typedef __u64 bcc_histogram_t;

#ifndef __cplusplus
#define bool _Bool
#define true 1
#define false 0
#endif
#ifndef NULL
#define NULL ((void *)0)
#endif

#define memcpy(to, from, bytes) __builtin_memcpy((to), (from), (bytes))
#define memset(to, byte, bytes) __builtin_memset((to), (byte), (bytes))
#define memmove(to, from, bytes) __builtin_memmove((to), (from), (bytes))

#define lock_xadd(to, value) ((void)__sync_fetch_and_add((to), (value)))

#define htons(x) bpf_htons(x)
#define ntohs(x) bpf_ntohs(x)
#define htonl(x) bpf_htonl(x)
#define ntohl(x) bpf_ntohl(x)

struct vlan_hdr {
	__be16 h_vlan_TCI;
	__be16 h_vlan_encapsulated_proto;
};

static __always_inline unsigned int bpf_log2(unsigned int v)
{
	unsigned int r, shift;

	r = (v > 0xFFFF) << 4; v >>= r;
	shift = (v > 0xFF) << 3; v >>= shift; r |= shift;
	shift = (v > 0xF) << 2; v >>= shift; r |= shift;
	shift = (v > 0x3) << 1; v >>= shift; r |= shift;
	return r | (v >> 1);
}

static __always_inline unsigned int bpf_log2l(unsigned long long v)
{
	unsigned int high = v >> 32;

	return high ? bpf_log2(high) + 33 : bpf_log2(v) + 1;
}

/* Declarations of maps. What is left out is what BCC takes. */
#define ORLA_MAP(kind, name, key_t, value_t, entries, flags) \
	struct { \
		__uint(type, kind); \
		__uint(max_entries, entries); \
		__uint(map_flags, flags); \
		__type(key, key_t); \
		__type(value, value_t); \
	} name SEC(".maps")

#define ORLA_FOURTH(_1, _2, _3, _4, chosen, ...) chosen
#define ORLA_KEYED4(kind, flags, name, key_t, value_t, entries) ORLA_MAP(kind, name, key_t, value_t, entries, flags)
#define ORLA_KEYED3(kind, flags, name, key_t, value_t) ORLA_MAP(kind, name, key_t, value_t, 10240, flags)
#define ORLA_KEYED2(kind, flags, name, key_t) ORLA_MAP(kind, name, key_t, u64, 10240, flags)
#define ORLA_KEYED1(kind, flags, name) ORLA_MAP(kind, name, u64, u64, 10240, flags)
#define ORLA_KEYED(kind, flags, ...) \
	ORLA_FOURTH(__VA_ARGS__, ORLA_KEYED4, ORLA_KEYED3, ORLA_KEYED2, ORLA_KEYED1, )(kind, flags, __VA_ARGS__)
#define ORLA_INDEXED4(kind, ...) _Static_assert(0, "an array has a name, a type and a size")
#define ORLA_INDEXED3(kind, name, value_t, entries) ORLA_MAP(kind, name, u32, value_t, entries, 0)
#define ORLA_INDEXED2(kind, name, value_t) ORLA_MAP(kind, name, u32, value_t, 10240, 0)
#define ORLA_INDEXED1(kind, name) ORLA_MAP(kind, name, u32, u64, 10240, 0)
#define ORLA_INDEXED(kind, ...) \
	ORLA_FOURTH(__VA_ARGS__, ORLA_INDEXED4, ORLA_INDEXED3, ORLA_INDEXED2, ORLA_INDEXED1, )(kind, __VA_ARGS__)

#define BPF_HASH(...) ORLA_KEYED(BPF_MAP_TYPE_HASH, 0, __VA_ARGS__)
#define BPF_LRU_HASH(...) ORLA_KEYED(BPF_MAP_TYPE_LRU_HASH, 0, __VA_ARGS__)
#define BPF_PERCPU_HASH(...) ORLA_KEYED(BPF_MAP_TYPE_PERCPU_HASH, 0, __VA_ARGS__)
#define BPF_LRU_PERCPU_HASH(...) ORLA_KEYED(BPF_MAP_TYPE_LRU_PERCPU_HASH, 0, __VA_ARGS__)
#define BPF_LPM_TRIE(...) ORLA_KEYED(BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, __VA_ARGS__)
#define BPF_ARRAY(...) ORLA_INDEXED(BPF_MAP_TYPE_ARRAY, __VA_ARGS__)
#define BPF_PERCPU_ARRAY(...) ORLA_INDEXED(BPF_MAP_TYPE_PERCPU_ARRAY, __VA_ARGS__)

/* An array; bcc-source.ts makes a hash of one whose keys are not `int`, as BCC does. */
#define ORLA_HISTOGRAM4(...) _Static_assert(0, "a histogram has a name, a type and a size")
#define ORLA_HISTOGRAM3(name, key_t, entries) ORLA_MAP(BPF_MAP_TYPE_ARRAY, name, u32, bcc_histogram_t, entries, 0)
#define ORLA_HISTOGRAM2(name, key_t) ORLA_HISTOGRAM3(name, key_t, 64)
#define ORLA_HISTOGRAM1(name) ORLA_HISTOGRAM3(name, int, 64)
#define BPF_HISTOGRAM(...) \
	ORLA_FOURTH(__VA_ARGS__, ORLA_HISTOGRAM4, ORLA_HISTOGRAM3, ORLA_HISTOGRAM2, ORLA_HISTOGRAM1, )(__VA_ARGS__)

#define BPF_PERF_OUTPUT(name) \
	struct { \
		__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); \
		__uint(key_size, 4); \
		__uint(value_size, 4); \
	} name SEC(".maps")
#define BPF_RINGBUF_OUTPUT(name, pages) \
	struct { \
		__uint(type, BPF_MAP_TYPE_RINGBUF); \
		__uint(max_entries, (pages) * 4096); \
	} name SEC(".maps")
#define BPF_PROG_ARRAY(name, entries) ORLA_MAP(BPF_MAP_TYPE_PROG_ARRAY, name, u32, u32, entries, 0)
#define BPF_DEVMAP(name, entries) ORLA_MAP(BPF_MAP_TYPE_DEVMAP, name, u32, u32, entries, 0)
#define BPF_CPUMAP(name, entries) ORLA_MAP(BPF_MAP_TYPE_CPUMAP, name, u32, u32, entries, 0)
#define BPF_XSKMAP(name, entries) ORLA_MAP(BPF_MAP_TYPE_XSKMAP, name, u32, u32, entries, 0)

#define BPF_LICENSE(...) char bcc_license[] SEC("license") = #__VA_ARGS__

/* What is done with maps. */
#define bcc_lookup(map, key) ((typeof((map).value))bpf_map_lookup_elem(&(map), (key)))
#define bcc_update(map, key, value) bpf_map_update_elem(&(map), (key), (value), BPF_ANY)
#define bcc_insert(map, key, value) bpf_map_update_elem(&(map), (key), (value), BPF_NOEXIST)
#define bcc_delete(map, key) bpf_map_delete_elem(&(map), (key))
#define bcc_lookup_or_try_init(map, key, initial) \
	({ \
		typeof((map).value) bcc_found = bcc_lookup(map, key); \
		if (!bcc_found) { \
			bpf_map_update_elem(&(map), (key), (initial), BPF_NOEXIST); \
			bcc_found = bcc_lookup(map, key); \
		} \
		bcc_found; \
	})
/* As in BCC, the function returns where there is no room. */
#define bcc_lookup_or_init(map, key, initial) \
	({ \
		typeof((map).value) bcc_there = bcc_lookup_or_try_init(map, key, initial); \
		if (!bcc_there) \
			return 0; \
		bcc_there; \
	})
/* A parameter that is called `key` would take the place of the member `key`. */
#define ORLA_INCREMENT(map, what, by, ...) \
	({ \
		typeof(*(map).key) bcc_key = (what); \
		typeof((map).value) bcc_count = bcc_lookup(map, &bcc_key); \
		if (bcc_count) { \
			__sync_fetch_and_add(bcc_count, (by)); \
		} else { \
			typeof(*(map).value) bcc_first = (by); \
			bpf_map_update_elem(&(map), &bcc_key, &bcc_first, BPF_NOEXIST); \
		} \
	})
#define bcc_increment(map, ...) ORLA_INCREMENT(map, __VA_ARGS__, 1)
#define bcc_atomic_increment(map, ...) ORLA_INCREMENT(map, __VA_ARGS__, 1)
#define bcc_perf_submit(map, ctx, data, size) bpf_perf_event_output(ctx, &(map), BPF_F_CURRENT_CPU, data, size)
#define bcc_perf_submit_skb(map, ctx, packet, data, size) \
	bpf_perf_event_output(ctx, &(map), BPF_F_CURRENT_CPU | ((__u64)(packet) << 32), data, size)
#define bcc_ringbuf_output(map, data, size, flags) bpf_ringbuf_output(&(map), data, size, flags)
#define bcc_ringbuf_reserve(map, size) bpf_ringbuf_reserve(&(map), size, 0)
#define bcc_ringbuf_submit(map, data, flags) bpf_ringbuf_submit(data, flags)
#define bcc_ringbuf_discard(map, data, flags) bpf_ringbuf_discard(data, flags)
#define bcc_redirect_map(map, key, flags) bpf_redirect_map(&(map), key, flags)
#define bcc_call(map, ctx, index) bpf_tail_call(ctx, &(map), index)
