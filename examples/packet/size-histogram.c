// How long packets are, as a histogram with a bar for each power of two. Written as for BCC.
//
//     orla packet load examples/packet/size-histogram.c --interface eth0 --duration 10s

#include <uapi/linux/bpf.h>

BPF_HISTOGRAM(bytes);

int sizes(struct xdp_md *ctx)
{
	bytes.increment(bpf_log2l(ctx->data_end - ctx->data));
	return XDP_PASS;
}
