/** What `forward` takes in a Corefile, and what it refuses: the tables of CoreDNS, and more. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { blockOf } from '../testing/block.ts'
import forward from './plugin.ts'

const folder = mkdtempSync(join(tmpdir(), 'forward-'))
test.after(() => rmSync(folder, { recursive: true }))
writeFileSync(
  join(folder, 'resolv.conf'),
  '# two\nsearch example.org\nnameserver 10.10.255.252\nnameserver   10.10.255.253 # second\nnameserver fe80::1%lo\n',
)
writeFileSync(join(folder, 'empty.conf'), 'search example.org\n')
writeFileSync(join(folder, 'broken.pem'), 'no certificate\n')

const inside = (text: string): string => `forward . 127.0.0.1 {\n${text}\n}`

const GOOD = [
  'forward . 127.0.0.1',
  'forward . 127.0.0.1:53',
  'forward . 127.0.0.1:8080',
  'forward . [::1]:53',
  'forward . [2003::1]:53',
  'forward . ::1\nforward com ::2',
  'forward . fe80::1%lo',
  'forward 10.9.3.0/18 127.0.0.1',
  'forward . dns://127.0.0.1 dns://[::1]:5300',
  'forward . tls://127.0.0.1',
  'forward . tls://127.0.0.1 {\n tls_servername dns\n}',
  'forward . tls://9.9.9.9%dns.quad9.net tls://149.112.112.112%dns.quad9.net:853',
  'forward . resolv.conf',
  'forward . /etc/resolv.conf 127.0.0.1',
  ...[
    'health_check 0.5s domain example.org',
    'health_check 0.5s',
    'health_check 0.5s no_rec',
    'health_check 0.5s no_rec domain example.org',
    'health_check 0.5s domain .',
    'health_check 0.5s domain example.org.',
    'except miek.nl',
    'max_fails 3',
    'force_tcp',
    'prefer_udp',
    'force_tcp\nprefer_udp',
    'tls_servername dns',
    'tls',
    'expire 20s',
    'policy random',
    'policy round_robin',
    'policy sequential',
    'max_concurrent 1000',
    'max_connect_attempts 3',
    'next NXDOMAIN',
    'next_on_nodata',
    'max_idle_conns 4',
    'next NXDOMAIN SERVFAIL',
    'failover SERVFAIL REFUSED',
    'failfast_all_unhealthy_upstreams',
    'random_case',
  ].map(inside),
]
for (const text of GOOD)
  test(`it takes: ${text.replaceAll('\n', ';')}`, async (t) => {
    await blockOf(t, text, { plugins: [forward], folder })
  })

const BAD: readonly (readonly [string, RegExp])[] = [
  ['forward', /Corefile:1 - plugin\/forward: Wrong argument count/],
  ['forward .', /Wrong argument count/],
  ['forward . a27.0.0.1', /not an IP address or file: "a27.0.0.1"/],
  ['forward . 127.0.0.1:99999', /not an IP address or file/],
  ['forward . 127.0.0.1:0', /not an IP address or file/],
  ['forward . https://127.0.0.1', /'https' is not supported as a destination protocol in forward/],
  ['forward . empty.conf', /no nameservers found in empty.conf/],
  [`forward ${'x'.repeat(64)} 127.0.0.1`, /label of 64 bytes/],
  [`forward . ${'127.0.0.1 '.repeat(16)}`, /more than 15 TOs configured: 16/],
  ['forward . tls://9.9.9.9%dns.quad9.net {\n tls_servername dns\n}', /contradict each other/],
  ...(
    [
      ['blaatl', /Corefile:2 - .*unknown property 'blaatl': expected one of except, force_tcp/],
      ['health_check 0.5s domain', /Wrong argument count or unexpected line ending after 'domain'/],
      ['health_check no_rec', /invalid duration "no_rec"/],
      ['health_check domain example.org', /invalid duration/],
      ['health_check 0.5s rec', /health_check: unknown option rec/],
      ['health_check 0.5s domain example..org', /health_check: invalid domain name/],
      ['health_check -1s', /health_check can't be negative/],
      ['max_concurrent many', /invalid number many/],
      ['max_concurrent -4', /can't be negative: -4/],
      ['max_fails many', /invalid number many/],
      ['except', /Wrong argument count/],
      ['force_tcp yes', /Wrong argument count/],
      ['expire', /Wrong argument count/],
      ['expire -1s', /can't be negative/],
      ['policy best', /unknown policy 'best': expected one of random, round_robin, sequential/],
      ['next NOTHING', /NOTHING is not a valid rcode/],
      ['failover NOERROR', /NOERROR cannot be used/],
      ['tls a b c d', /Wrong argument count/],
      ['tls missing.pem', /tls: ENOENT.*missing\.pem/],
      ['tls broken.pem broken.pem', /tls: /],
    ] as const
  ).map(([text, message]) => [inside(text), message] as const),
]
for (const [text, message] of BAD)
  test(`it refuses: ${text.replaceAll('\n', ';').slice(0, 70)}`, async (t) => {
    await assert.rejects(blockOf(t, text, { plugins: [forward], folder }), message)
  })
