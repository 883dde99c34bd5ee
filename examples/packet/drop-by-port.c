// Drops UDP packets to the ports that are in the map `blocked`, and counts there how many. Written as for BCC.
//
//     orla packet load examples/packet/drop-by-port.c --function drop_telnet_and_quic --interface eth0
//
// From TypeScript, any port can be put into the map while the program runs:
//
//     const program = await load('examples/packet/drop-by-port.c', { interface: 'eth0', function: 'drop_blocked' })
//     program.maps.blocked.set(5005, 0)

#include <uapi/linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

BPF_HASH(blocked, u16, u64, 1024);

// The destination port of a UDP packet, 0 of any other.
static __always_inline u16 udp_port(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(ethernet + 1);

	if ((void *)(ip + 1) > end || ethernet->h_proto != htons(ETH_P_IP) || ip->protocol != IPPROTO_UDP)
		return 0;
	struct udphdr *udp = (void *)ip + ip->ihl * 4;
	return (void *)(udp + 1) > end ? 0 : ntohs(udp->dest);
}

int drop_blocked(struct xdp_md *ctx)
{
	u16 port = udp_port(ctx);
	u64 *dropped = blocked.lookup(&port);

	if (!dropped)
		return XDP_PASS;
	__sync_fetch_and_add(dropped, 1);
	return XDP_DROP;
}

int drop_telnet_and_quic(struct xdp_md *ctx)
{
	u16 port = udp_port(ctx);

	if (port != 23 && port != 443)
		return XDP_PASS;
	blocked.increment(port);
	bpf_trace_printk("dropped a packet to port %d\n", port);
	return XDP_DROP;
}
