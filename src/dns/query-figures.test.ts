import assert from 'node:assert/strict'
import { test } from 'node:test'
import { queryFor } from '../plugins/dns/testing/block.ts'
import { RCODE } from '../wire/dns/codes.ts'
import { DnsFigures } from './metrics.ts'
import { QueryFigures } from './query-figures.ts'

test('queries are counted under the names of CoreDNS', () => {
  const figures = new DnsFigures()
  const queries = new QueryFigures(figures)
  const counts = queries.of('dns://:53', 'example.org.', '')
  assert.equal(queries.of('dns://:53', 'example.org.', ''), counts)
  const asked = (type: string, rcode: number, bytes: number, more = {}) => {
    const query = queryFor('example.org', type, more)
    query.answeredBy = 'file'
    counts.answered(query, rcode, bytes)
  }
  asked('A', RCODE.NOERROR, 60)
  asked('A', RCODE.NOERROR, 150)
  asked('LOC', RCODE.NXDOMAIN, 70_000, { isTcp: true, ip: '2001:db8::1' })
  asked('TYPE65280', RCODE.NOERROR, 60)
  const text = figures.text().split('\n')
  const place = 'server="dns://:53",zone="example.org.",view=""'
  for (const line of [
    `coredns_dns_requests_total{${place},proto="udp",family="1",type="A"} 2`,
    `coredns_dns_requests_total{${place},proto="tcp",family="2",type="other"} 1`,
    `coredns_dns_requests_total{${place},proto="udp",family="1",type="other"} 1`,
    `coredns_dns_responses_total{${place},rcode="NOERROR",plugin="file"} 3`,
    `coredns_dns_responses_total{${place},rcode="NXDOMAIN",plugin="file"} 1`,
    `coredns_dns_response_size_bytes_bucket{${place},proto="udp",le="100"} 2`,
    `coredns_dns_response_size_bytes_bucket{${place},proto="udp",le="200"} 3`,
    `coredns_dns_response_size_bytes_bucket{${place},proto="tcp",le="64000"} 0`,
    `coredns_dns_response_size_bytes_bucket{${place},proto="tcp",le="+Inf"} 1`,
    `coredns_dns_request_duration_seconds_count{${place}} 4`,
  ])
    assert.ok(text.includes(line), `${line}\nis not in\n${text.join('\n')}`)
})
