/** What is answered for a list of nodes: records that are made once, and sent as often as the list is chosen. */
import type { IpAddress } from '../../../base/ip-address.ts'
import type { DnsCount } from '../../../contract/dns.ts'
import type { EdgeNode } from '../../../steer/node.ts'
import type { Outcome } from '../../../steer/pipeline.ts'
import { TYPE } from '../../../wire/dns/codes.ts'
import type { DnsName } from '../../../wire/dns/name.ts'
import { DnsRecord } from '../../../wire/dns/record.ts'

export interface EdgeAnswer {
  readonly kind: Outcome['kind']
  readonly v4: readonly DnsRecord[]
  readonly v6: readonly DnsRecord[]
  /** Instead of addresses: the first node is another name. */
  readonly cname: DnsRecord | undefined
  readonly target: DnsName | undefined
  /** Of each node that was chosen: how often. */
  readonly counts: readonly DnsCount[]
}

export function edgeAnswerOf(
  owner: DnsName,
  ttlSeconds: number,
  nodes: readonly EdgeNode[],
  kind: Outcome['kind'],
  countOf: (node: string) => DnsCount,
): EdgeAnswer {
  const target = nodes[0]?.cname
  // A name with a CNAME has nothing else (RFC 1034 §3.6.2), so the first node decides which of both it is.
  const used = target === undefined ? nodes.filter(({ cname }) => cname === undefined) : nodes.slice(0, 1)
  const records = (type: number, addresses: readonly IpAddress[]) =>
    target === undefined ? addresses.map((ip) => new DnsRecord(owner, type, ttlSeconds, rdataOf(ip))) : []
  return {
    kind,
    v4: records(
      TYPE.A,
      used.flatMap(({ v4 }) => v4),
    ),
    v6: records(
      TYPE.AAAA,
      used.flatMap(({ v6 }) => v6),
    ),
    cname: target && new DnsRecord(owner, TYPE.CNAME, ttlSeconds, Buffer.from(target.wire, 'latin1')),
    target,
    counts: used.map(({ name }) => countOf(name)),
  }
}

function rdataOf({ family, words }: IpAddress): Buffer {
  const bytes = Buffer.alloc(16)
  for (const [index, word] of words.entries()) bytes.writeUInt32BE(word, index * 4)
  return family === 4 ? bytes.subarray(12) : bytes
}
