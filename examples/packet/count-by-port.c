// Counts UDP and TCP packets by their destination port, on each CPU by itself, and passes all of them.
//
//     orla packet load examples/packet/count-by-port.c --interface eth0

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct destination {
	__u16 protocol; // 6 is TCP, 17 is UDP
	__be16 port;    // big-endian in the source: a port in the table
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct destination);
	__type(value, __u64);
} packets SEC(".maps");

SEC("xdp") int count_by_port(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(ethernet + 1);

	if ((void *)(ip + 1) > end || ethernet->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->protocol != IPPROTO_UDP && ip->protocol != IPPROTO_TCP)
		return XDP_PASS;

	// Both protocols begin with two ports.
	struct udphdr *ports = (void *)ip + ip->ihl * 4;
	if ((void *)(ports + 1) > end)
		return XDP_PASS;

	struct destination key = { .protocol = ip->protocol, .port = ports->dest };
	__u64 first = 1, *count = bpf_map_lookup_elem(&packets, &key);
	if (count)
		*count += 1;
	else
		bpf_map_update_elem(&packets, &key, &first, BPF_ANY);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
