/**
 * What of `edge` holds for requests and changes while the node runs: made once for each set that is served, so that a set which is
 * prepared opens its logs before it is live, and a request looks nothing up.
 */
import { CidrSet } from '../base/cidr.ts'
import type { LiveEdgeConfig, Served } from '../contract/messages.ts'
import type { AccessLog, AccessLogs } from './access-log/access-log.ts'
import type { ProxyTrust } from './forwarding/peer.ts'
import type { RequestIdUse } from './request-id.ts'

export interface LiveEdge {
  readonly listen: LiveEdgeConfig['listen']
  readonly fetch: LiveEdgeConfig['fetch']
  /** The share of traces begun here that is marked as sampled; undefined where traces pass as they came. */
  readonly traceSample: number | undefined
  /** For requests without a site, and for sites that say nothing else. */
  readonly accessLog: AccessLog | undefined
  readonly trust: ProxyTrust
  readonly requestId: RequestIdUse
}

export class LiveEdges {
  private readonly logs: AccessLogs
  private readonly atStart: LiveEdgeConfig
  private readonly made = new WeakMap<Served, LiveEdge>()

  constructor(logs: AccessLogs, atStart: LiveEdgeConfig) {
    this.logs = logs
    this.atStart = atStart
  }

  of(served: Served): LiveEdge {
    let edge = this.made.get(served)
    if (edge === undefined) {
      const { listen, fetch, trace, accessLog, trustedProxies, forwardedFrom, requestId } =
        served.edge ?? this.atStart
      edge = {
        listen,
        fetch,
        traceSample: trace?.sample,
        accessLog: this.logs.open(accessLog),
        trust: { trusted: CidrSet.of(trustedProxies), from: forwardedFrom },
        requestId,
      }
      this.made.set(served, edge)
    }
    return edge
  }
}
