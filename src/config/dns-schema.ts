/** `dns` of the configuration: the DNS plane of a node. What it serves stands in a Corefile. */
import * as v from 'valibot'
import { plainHost } from './site-claims.ts'

const FILE_EXPECTED = 'expected the path of a Corefile'
const PATH_EXPECTED = 'expected a path such as "/dns-query"'
const DOH_EXPECTED = 'expected a path such as "/dns-query", or an object with `path` and `hosts`'
const HOST_EXPECTED = 'expected a host without a port, such as "dns.example.org"'

const dohPath = () =>
  v.pipe(v.string(PATH_EXPECTED), v.regex(/^\/[A-Za-z0-9._~!$&'()+,;=:@/-]*$/, PATH_EXPECTED))

const Doh = v.strictObject({
  /** As it stands in the request, without a query. */
  path: v.optional(dohPath(), '/dns-query'),
  /** Hosts that are asked so. Absent: all. */
  hosts: v.optional(
    v.array(
      v.pipe(v.string(HOST_EXPECTED), v.regex(/^[A-Za-z0-9._-]+$/, HOST_EXPECTED), v.transform(plainHost)),
      'expected a list of hosts',
    ),
    [],
  ),
})

export const Dns = v.strictObject({
  /** The file that says what is served, in CoreDNS's words. A reload reads it again, and so does a change of the file. */
  corefile: v.pipe(v.string(FILE_EXPECTED), v.minLength(1, FILE_EXPECTED)),
  /**
   * Answers DNS over HTTPS where the edge listens for HTTP, whatever sites there are: a path, or an object. Without, `https://` in the Corefile is
   * the only one, on ports of its own.
   */
  doh: v.optional(
    v.pipe(
      v.union([dohPath(), Doh], DOH_EXPECTED),
      v.transform((value) => (typeof value === 'string' ? { path: value, hosts: [] as string[] } : value)),
    ),
  ),
})

export type DnsConfig = v.InferOutput<typeof Dns>
