/** Plugins that come with CoreDNS and that Orla has not, with what there is in their place. */
const KUBERNETES = ': names of Kubernetes are not served; `forward` them to a CoreDNS in the cluster'
const CLOUD = ': `secondary` takes zones over from servers that give them'

export const COREDNS_PLUGINS: ReadonlyMap<string, string> = new Map([
  ['autopath', KUBERNETES],
  ['azure', CLOUD],
  ['clouddns', CLOUD],
  ['dnstap', ': `log` writes down what is asked and answered'],
  ['erratic', ''],
  ['etcd', ''],
  ['federation', KUBERNETES],
  ['grpc', ': `forward` asks over DNS and TLS'],
  ['grpc_server', ''],
  ['https', ''],
  ['https3', ''],
  ['k8s_external', KUBERNETES],
  ['kubernetes', KUBERNETES],
  ['multisocket', ': a node serves with as many processes as it has workers (`edge.workers`)'],
  ['nomad', ''],
  ['on', ''],
  ['pprof', ': `node --inspect` and its profiles take its place'],
  ['proxy', ': CoreDNS itself has `forward` in its place, as Orla has'],
  ['quic', ''],
  ['route53', CLOUD],
  ['sign', ': `dnssec` signs answers on the fly'],
  ['trace', ''],
])
