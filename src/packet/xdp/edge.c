// The edge's own XDP program: counts what arrives, drops what is banned, passes everything else.
//
// A frame is read from the outside in (Ethernet, VLAN tags, IPv4 or IPv6, UDP or TCP) only as far as its source
// and its destination port. As soon as the source is known, the tries of prefixes are asked: the longest match says
// whether it is banned, so that a prefix with NEVER is a hole in a wider ban. What cannot be read is passed and counted as
// unreadable: a mistake in here must not cut anybody off. Only who asks for it (SETTING_DROP_UNREADABLE) has it dropped.
//
// Counts are per CPU and plain additions. Ports have a table with a place for each, 2 MiB a CPU, and not a hash: it
// allocates nothing while packets come, has no bound to reach, and whoever sprays all ports fills nothing up. So that a reader
// need not go through all of it, ports lie in blocks of 64, and `blocks` says which of them were ever counted in.
//
// Written for verifiers from Linux 5.10 on: loops are unrolled, what indexes a map is masked where the verifier sees it.
// src/packet/edge-program.ts knows the numbers and the layout of the maps; both change together.

#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

// What a frame is.
enum kind {
	KIND_UDP,
	KIND_TCP,
	KIND_ICMP,
	KIND_OTHER,      // any other protocol over IP
	KIND_NOT_IP,     // ARP, LLDP, ...
	KIND_UNREADABLE, // it ends too early, or is not what it says
	KIND_FRAGMENT,   // later fragments, which hold no port: counted here beside their protocol
	KINDS,
};

enum verdict {
	VERDICT_PASSED,
	VERDICT_BANNED,     // dropped: its source is banned
	VERDICT_UNREADABLE, // dropped: it cannot be read, and the settings say so
	VERDICTS,
};

// Values of the tries.
#define NEVER 0
#define BANNED 1

#define SETTING_DROP_UNREADABLE 1u

#define PORTS_PER_BLOCK 64
#define BLOCKS_PER_PROTOCOL (65536 / PORTS_PER_BLOCK)
#define BLOCKS (2 * BLOCKS_PER_PROTOCOL) // UDP, then TCP

#define TAGS_MAX 2
#define EXTENSIONS_MAX 8
#define PREFIXES_MAX (1 << 21)

struct tally {
	__u64 packets;
	__u64 bytes; // of frames, their Ethernet header included
};

struct block {
	struct tally ports[PORTS_PER_BLOCK];
};

struct marks {
	__u8 of[BLOCKS];
};

struct key4 {
	__u32 bits;
	__u32 address;
};

struct key6 {
	__u32 bits;
	__u32 address[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KINDS * VERDICTS);
	__type(key, __u32);
	__type(value, struct tally);
} totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BLOCKS);
	__type(key, __u32);
	__type(value, struct block);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct marks);
} blocks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, PREFIXES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct key4);
	__type(value, __u32);
} prefixes4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, PREFIXES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct key6);
	__type(value, __u32);
} prefixes6 SEC(".maps");

// What the frames of every network look like. Declared here and not included: the headers of the kernel that the build
// machine happens to have are no part of what is built.
struct ethernet {
	__u8 destination[6];
	__u8 source[6];
	__be16 type;
} __attribute__((packed));

struct tag {
	__be16 control;
	__be16 type;
} __attribute__((packed));

struct ipv4 {
	__u8 version_words; // four bits each
	__u8 service;
	__be16 length;
	__be16 id;
	__be16 fragment; // three flags, 13 bits of offset
	__u8 ttl;
	__u8 protocol;
	__be16 checksum;
	__u32 source;
	__u32 destination;
} __attribute__((packed, aligned(2)));

struct ipv6 {
	__u8 version_class;
	__u8 flow[3];
	__be16 length; // of what comes behind this header; 0 where it is longer than 65,535 (RFC 2675)
	__u8 next;
	__u8 hops;
	__u32 source[4];
	__u32 destination[4];
} __attribute__((packed, aligned(2)));

struct extension {
	__u8 next;
	__u8 length;
} __attribute__((packed));

struct fragment {
	__u8 next;
	__u8 reserved;
	__be16 offset; // 13 bits, and three of flags
	__be32 id;
} __attribute__((packed, aligned(2)));

// UDP and TCP alike begin with their ports.
struct udp {
	__be16 source;
	__be16 destination;
	__be16 length;
	__be16 checksum;
} __attribute__((packed, aligned(2)));

struct tcp {
	__be16 source;
	__be16 destination;
	__be32 sequence;
	__be32 acknowledged;
	__u8 words; // upper four bits
	__u8 flags;
	__be16 window;
	__be16 checksum;
	__be16 urgent;
} __attribute__((packed, aligned(2)));

#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd
#define TYPE_8021Q 0x8100
#define TYPE_8021AD 0x88a8

#define PROTOCOL_HOP_BY_HOP 0
#define PROTOCOL_ICMP 1
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17
#define PROTOCOL_ROUTING 43
#define PROTOCOL_FRAGMENT 44
#define PROTOCOL_AUTHENTICATION 51
#define PROTOCOL_ICMP6 58
#define PROTOCOL_DESTINATION 60
#define PROTOCOL_MOBILITY 135
#define PROTOCOL_HIP 139
#define PROTOCOL_SHIM6 140

// What is learnt of a frame.
struct facts {
	__u32 kind;
	__u32 port;
	__u8 has_port;
	__u8 is_fragment;
	__u8 is_banned;
};

static __always_inline void add(struct tally *tally, __u64 bytes)
{
	if (tally) {
		tally->packets += 1;
		tally->bytes += bytes;
	}
}

// Compilers drop masks that they know to change nothing; verifiers do not always know it.
static __always_inline __u32 masked(__u32 value, __u32 mask)
{
	asm volatile("" : "+r"(value));
	return value & mask;
}

// `left`: bytes of the packet behind the headers before, as the IP header tells them. What lies behind is padding.
static __always_inline void read_transport(struct facts *facts, __u8 protocol, void *at, void *end, __u32 left)
{
	switch (protocol) {
	case PROTOCOL_UDP: {
		struct udp *udp = at;
		if (!facts->is_fragment) {
			if ((void *)(udp + 1) > end || left < sizeof(*udp))
				return;
			facts->port = bpf_ntohs(udp->destination);
			facts->has_port = 1;
		}
		facts->kind = KIND_UDP;
		return;
	}
	case PROTOCOL_TCP: {
		struct tcp *tcp = at;
		if (!facts->is_fragment) {
			if ((void *)(tcp + 1) > end || left < sizeof(*tcp) || (tcp->words >> 4) < 5)
				return;
			facts->port = bpf_ntohs(tcp->destination);
			facts->has_port = 1;
		}
		facts->kind = KIND_TCP;
		return;
	}
	case PROTOCOL_ICMP:
	case PROTOCOL_ICMP6:
		facts->kind = KIND_ICMP;
		return;
	default:
		facts->kind = KIND_OTHER;
	}
}

static __always_inline void read_ipv4(struct facts *facts, void *at, void *end)
{
	struct ipv4 *ip = at;
	if ((void *)(ip + 1) > end)
		return;
	struct key4 key = { .bits = 32, .address = ip->source };
	__u32 *value = bpf_map_lookup_elem(&prefixes4, &key);
	facts->is_banned = value && *value == BANNED;

	__u32 header = (ip->version_words & 0x0f) * 4;
	__u32 length = bpf_ntohs(ip->length);
	// What the kernel put together may be longer than the field can tell: it says 0 then.
	if (length == 0)
		length = 0x10000;
	if ((ip->version_words >> 4) != 4 || header < sizeof(*ip) || length < header)
		return;
	// RFC 791 §3.1: the offset of a fragment; only the one at 0 holds the ports.
	facts->is_fragment = (ip->fragment & bpf_htons(0x1fff)) != 0;
	if (at + header > end)
		return;
	read_transport(facts, ip->protocol, at + header, end, length - header);
}

static __always_inline void read_ipv6(struct facts *facts, void *at, void *end)
{
	struct ipv6 *ip = at;
	if ((void *)(ip + 1) > end)
		return;
	struct key6 key = { .bits = 128 };
	__builtin_memcpy(key.address, ip->source, sizeof(key.address));
	__u32 *value = bpf_map_lookup_elem(&prefixes6, &key);
	facts->is_banned = value && *value == BANNED;

	if ((ip->version_class >> 4) != 6)
		return;
	__u32 left = bpf_ntohs(ip->length);
	if (left == 0)
		left = 0x10000;
	__u8 next = ip->next;
	at = ip + 1;
	// RFC 8200 §4: each extension says what comes behind it.
#pragma unroll
	for (int i = 0; i <= EXTENSIONS_MAX; i++) {
		__u32 length;
		switch (next) {
		case PROTOCOL_HOP_BY_HOP:
		case PROTOCOL_ROUTING:
		case PROTOCOL_DESTINATION:
		case PROTOCOL_MOBILITY:
		case PROTOCOL_HIP:
		case PROTOCOL_SHIM6: {
			struct extension *extension = at;
			if ((void *)(extension + 1) > end)
				return;
			next = extension->next;
			length = (extension->length + 1) * 8;
			break;
		}
		case PROTOCOL_AUTHENTICATION: {
			// RFC 4302 §2.2: in words of 32 bits, less 2.
			struct extension *extension = at;
			if ((void *)(extension + 1) > end)
				return;
			next = extension->next;
			length = (extension->length + 2) * 4;
			break;
		}
		case PROTOCOL_FRAGMENT: {
			struct fragment *fragment = at;
			if ((void *)(fragment + 1) > end)
				return;
			next = fragment->next;
			length = sizeof(*fragment);
			facts->is_fragment = (fragment->offset & bpf_htons(0xfff8)) != 0;
			break;
		}
		default:
			read_transport(facts, next, at, end, left);
			return;
		}
		if (left < length)
			return;
		left -= length;
		at += length;
		if (facts->is_fragment) {
			// What comes next lies in the first fragment, and is named here.
			read_transport(facts, next, at, end, left);
			return;
		}
	}
	// More extensions than anybody needs: it stays unreadable.
}

static __always_inline void read_frame(struct facts *facts, void *at, void *end)
{
	struct ethernet *ethernet = at;
	if ((void *)(ethernet + 1) > end)
		return;
	__be16 type = ethernet->type;
	at = ethernet + 1;
#pragma unroll
	for (int i = 0; i < TAGS_MAX; i++) {
		if (type == bpf_htons(TYPE_8021Q) || type == bpf_htons(TYPE_8021AD)) {
			struct tag *tag = at;
			if ((void *)(tag + 1) > end)
				return;
			type = tag->type;
			at = tag + 1;
		}
	}
	if (type == bpf_htons(TYPE_IPV4))
		read_ipv4(facts, at, end);
	else if (type == bpf_htons(TYPE_IPV6))
		read_ipv6(facts, at, end);
	else if (type != bpf_htons(TYPE_8021Q) && type != bpf_htons(TYPE_8021AD))
		facts->kind = KIND_NOT_IP;
}

static __always_inline void count(__u32 kind, __u32 verdict, __u64 bytes)
{
	__u32 slot = kind * VERDICTS + verdict;
	add(bpf_map_lookup_elem(&totals, &slot), bytes);
}

static __always_inline void count_port(struct facts *facts, __u64 bytes)
{
	__u32 port = masked(facts->port, 0xffff);
	__u32 slot = port / PORTS_PER_BLOCK + (facts->kind == KIND_TCP ? BLOCKS_PER_PROTOCOL : 0);
	__u32 only = 0;
	struct block *block = bpf_map_lookup_elem(&ports, &slot);
	struct marks *marks = bpf_map_lookup_elem(&blocks, &only);
	if (!block || !marks)
		return;
	// Asked before it is written: all CPUs share these bytes.
	__u8 *mark = &marks->of[masked(slot, BLOCKS - 1)];
	if (!*mark)
		*mark = 1;
	add(&block->ports[masked(port, PORTS_PER_BLOCK - 1)], bytes);
}

static __always_inline int judge(struct xdp_md *context, __u64 bytes)
{
	struct facts facts = { .kind = KIND_UNREADABLE };
	read_frame(&facts, (void *)(long)context->data, (void *)(long)context->data_end);

	__u32 verdict = VERDICT_PASSED;
	if (facts.is_banned) {
		verdict = VERDICT_BANNED;
	} else if (facts.kind == KIND_UNREADABLE) {
		__u32 only = 0;
		__u32 *setting = bpf_map_lookup_elem(&settings, &only);
		if (setting && (*setting & SETTING_DROP_UNREADABLE))
			verdict = VERDICT_UNREADABLE;
	}

	count(facts.kind, verdict, bytes);
	if (facts.is_fragment && facts.kind != KIND_UNREADABLE)
		count(KIND_FRAGMENT, verdict, bytes);
	if (facts.has_port)
		count_port(&facts, bytes);
	return verdict == VERDICT_PASSED ? XDP_PASS : XDP_DROP;
}

// For kernels before 5.18, whose programs see a frame in one piece.
SEC("xdp")
int orla_edge(struct xdp_md *context)
{
	return judge(context, context->data_end - context->data);
}

// The same where frames may come in several pieces: jumbo frames, and what the kernel put together.
SEC("xdp.frags")
int orla_edge_frags(struct xdp_md *context)
{
	return judge(context, bpf_xdp_get_buff_len(context));
}

// No helper is used that asks for the GPL.
char LICENSE[] SEC("license") = "Apache-2.0";
