/** Rows of what a server of the DNS has to do, against `orla dns` with a zone. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { RCODE } from '../../src/wire/dns/codes.ts'
import type { DnsMessage } from '../../src/wire/dns/message.ts'
import {
  askTcp,
  decoded,
  packet,
  type PacketOptions,
  type UdpClient,
  udpClient,
} from '../harness/dns-packets.ts'
import type { Owner } from '../harness/name-servers.ts'
import { startDns } from '../harness/orla-dns.ts'

const ZONE = `$TTL 3600
@ IN SOA ns1 admin 7 3600 600 86400 300
@ IN NS ns1
@ IN MX 10 mail
@ IN TXT "v=spf1 -all"
ns1 IN A 192.0.2.53
mail IN A 192.0.2.25
www IN A 192.0.2.1
www IN AAAA 2001:db8::1
www IN TXT "one"
alias IN CNAME www
unknown IN TYPE65280 \\# 3 010203
deep.empty IN A 192.0.2.9
*.wild IN A 192.0.2.77
sub IN NS ns.sub
ns.sub IN A 192.0.2.90
secure IN NS ns.sub
secure IN DS 12345 13 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF
outside IN NS ns.example.net.
big IN NS ns0.big
${Array.from({ length: 12 }, (_, index) => `big IN NS ns${index + 1}.big`).join('\n')}
${Array.from({ length: 13 }, (_, index) => `ns${index}.big IN A 198.51.100.${index}\nns${index}.big IN AAAA 2001:db8::${index}`).join('\n')}
here.wild IN TXT "nothing below by the wildcard"
*.linked IN CNAME www
alias2 IN CNAME alias
away IN CNAME www.example.net.
nowhere IN CNAME nope
nodata IN CNAME mail
below IN CNAME host.sub
round IN CNAME round2
round2 IN CNAME round
self IN CNAME self
moved IN DNAME target
x.target IN A 192.0.2.60
y.target IN CNAME www
gone IN DNAME example.net.
lengthy IN DNAME ${'a'.repeat(60)}.${'b'.repeat(60)}.target
into IN CNAME x.moved
srv IN SRV 1 2 443 www
service IN SVCB 1 www port=8443
own IN A 192.0.2.61
own IN HTTPS 1 . alpn=h2
named IN SVCB 0 service
absent IN SVCB 0 .
nomail IN MX 0 .
twice IN A 192.0.2.8
twice IN A 192.0.2.8
a\\.b IN A 192.0.2.5
a\\000b IN A 192.0.2.6
MiXed IN A 192.0.2.7
binary IN TXT "\\000\\001\\255\\"\\\\ a"
${Array.from({ length: 60 }, (_, index) => `many IN A 198.51.100.${index}`).join('\n')}
${Array.from({ length: 20 }, (_, index) => `long IN TXT "${'x'.repeat(200)}${index}"`).join('\n')}
`
const COREFILE = `.:0 {
  bind 127.0.0.1
  file example.org example.org {
    reload 0
  }
}`

export interface Row {
  readonly what: string
  readonly of: string
  readonly ask: PacketOptions | Buffer
  /** 'silence', or what the answer has to be. */
  readonly expect: 'silence' | ((answer: DnsMessage, bytes: Buffer) => void)
}

export const rcode = (code: keyof typeof RCODE) => (answer: DnsMessage) =>
  assert.equal(answer.rcode, RCODE[code])

/** Once `before` has run. */
export const server: { port: number; client: UdpClient } = { port: 0, client: undefined as never }

/** A test a row, over UDP and, where that is the same, over TCP. Within a `describe`. */
export function testRows(rows: readonly Row[]): void {
  const ends: (() => unknown)[] = []
  const owner: Owner = { after: (work) => void ends.unshift(work) }
  before(async () => {
    server.port = (await startDns(owner as never, { Corefile: COREFILE, 'example.org': ZONE })).port
    server.client = await udpClient(owner, server.port)
  })
  after(async () => {
    for (const end of ends) await end()
  })
  for (const { what, of, ask, expect } of rows) {
    const bytes = Buffer.isBuffer(ask) ? ask : packet(ask)
    test(`${of}: ${what}`, async () => {
      if (expect === 'silence') assert.equal(await server.client.ask(bytes), undefined)
      else {
        const answer = await server.client.answerTo(bytes)
        expect(decoded(answer), answer)
      }
    })
    if (expect !== 'silence' && !/over UDP|512|truncated|ANY|as long as/.test(what))
      test(`${of}: ${what}, over TCP`, async () => {
        const [answer] = await askTcp(server.port, [bytes])
        expect(decoded(answer), answer!)
      })
  }
}
