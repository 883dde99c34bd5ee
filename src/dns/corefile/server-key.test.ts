import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseServerKey } from './server-key.ts'

const parse = (text: string) => {
  const { transport, port, zones } = parseServerKey({ text, file: 'Corefile', line: 1, isQuoted: false }, 53)
  return [transport, port, zones.map(String)]
}

const KEYS: readonly (readonly [text: string, transport: string, port: number, zones: readonly string[]])[] =
  [
    ['.:53', 'dns', 53, ['.']],
    ['.', 'dns', 53, ['.']],
    ['.:0', 'dns', 0, ['.']],
    ['dns://.:1053', 'dns', 1053, ['.']],
    ['tls://.', 'tls', 853, ['.']],
    ['https://example.org', 'https', 443, ['example.org.']],
    ['https://example.org:8443', 'https', 8443, ['example.org.']],
    ['Example.ORG:53', 'dns', 53, ['example.org.']],
    ['example.org.:53', 'dns', 53, ['example.org.']],
    ['10.0.0.0/8:53', 'dns', 53, ['10.in-addr.arpa.']],
    ['10.0.0.0/24', 'dns', 53, ['0.0.10.in-addr.arpa.']],
    ['10.0.0.7/24', 'dns', 53, ['0.0.10.in-addr.arpa.']],
    ['10.0.0.0/15', 'dns', 53, ['0.10.in-addr.arpa.', '1.10.in-addr.arpa.']],
    ['10.0.0.0/31', 'dns', 53, ['0.0.0.10.in-addr.arpa.', '1.0.0.10.in-addr.arpa.']],
    ['0.0.0.0/0', 'dns', 53, ['in-addr.arpa.']],
    ['2001:db8::/32:5300', 'dns', 5300, ['8.b.d.0.1.0.0.2.ip6.arpa.']],
    ['2001:db8::/30', 'dns', 53, ['8', '9', 'a', 'b'].map((digit) => `${digit}.b.d.0.1.0.0.2.ip6.arpa.`)],
  ]

test('keys of server blocks name transport, port and zones', () => {
  for (const [text, ...expected] of KEYS) assert.deepEqual(parse(text), expected, text)
  assert.equal((parse('10.0.0.0/25')[2] as string[]).length, 128)
  assert.equal((parse('10.9.3.0/18')[2] as string[]).length, 64)
})

test('what is no key says what would be right', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['example.org:', /expecting data after last colon/],
    ['.:65536', /65536 is no port/],
    ['.:-1', /-1 is no port/],
    [
      'grpc://.',
      /grpc:\/\/ is not supported: expected dns:\/\/, tls:\/\/ or https:\/\/ \(CoreDNS serves gRPC, Orla does not\)/,
    ],
    ['quic://.', /quic:\/\/ is not supported/],
    ['ftp://.', /ftp:\/\/ is not supported/],
    ['.{', /expected a space in front of "\{"/],
    [':53', /it is empty: the root, which all names are in, is written "\."/],
    ['a..b', /zone is not a valid domain name: a\.\.b/],
    [`${'a'.repeat(64)}.org`, /zone is not a valid domain name/],
    ['::/0', /invalid CIDR/],
  ]
  for (const [text, message] of cases) assert.throws(() => parse(text), { message }, text)
})
