/**
 * Answers of Knot DNS and BIND, asked through `forward` and `cache` of our own server, are the answers that they give themselves: when they are new, out of memory,
 * over UDP, TCP and TLS, and as far as may be while they are killed.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { test, type TestContext } from 'node:test'
import { composeDns } from '../../src/compose-dns.ts'
import { OPTION, RCODE, rcodeName, TYPE, typeName } from '../../src/wire/dns/codes.ts'
import type { DnsMessage } from '../../src/wire/dns/message.ts'
import { certificateMaker } from '../harness/certificates.ts'
import { orla } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import {
  askUdp,
  bindIsMissing,
  knotIsMissing,
  type NameServer,
  startBind,
  startKnot,
} from '../harness/name-servers.ts'
import { freePort } from '../harness/ports.ts'

const run = promisify(execFile)
const ZONE = 'asked.example'
const TEXT = `$ORIGIN ${ZONE}.
@ 300 SOA ns1 hostmaster 1 7200 3600 1209600 60
@ 300 NS ns1
ns1 300 A 192.0.2.1
www 300 A 192.0.2.2
www 300 A 192.0.2.3
www 300 AAAA 2001:db8::2
alias 300 CNAME www
loop1 300 CNAME loop2
loop2 300 CNAME loop1
mail 300 MX 10 www
mail 300 MX 20 alias
text 300 TXT "a b" "c"
*.wild 300 A 192.0.2.9
_s._tcp 300 SRV 1 2 80 www
svc 300 HTTPS 1 . alpn=h2 ipv4hint=192.0.2.2
unknown 300 TYPE65280 \\# 4 01020304
UPPER 300 A 192.0.2.4
child 300 NS ns.child
ns.child 300 A 192.0.2.5
${Array.from({ length: 100 }, (_, index) => `giant 300 TXT "${index} ${'x'.repeat(100)}"`).join('\n')}
`
const NAMES = [
  '',
  'www.',
  'alias.',
  'loop1.',
  'mail.',
  'text.',
  'a.wild.',
  '_s._tcp.',
  'svc.',
  'unknown.',
  'uPPer.',
  'x.child.',
  'no.',
  'a.no.',
]
const TYPES = [TYPE.A, TYPE.AAAA, TYPE.MX, TYPE.TXT, TYPE.SOA, TYPE.SRV, TYPE.HTTPS, 65_280]

/** Our own server with this inside of `.`; the port that it listens on. */
async function serve(t: TestContext, inside: string): Promise<number> {
  const { plane } = composeDns({
    read: async () => ({ text: `. {\nbind 127.0.0.1\n${inside}\n}`, file: 'Corefile', folder: '.' }),
    env: {},
    dnsPort: 0,
    log: () => undefined,
  })
  await plane.start()
  t.after(() => plane.stop())
  return Number(plane.addresses[0]!.split(':').at(-1))
}

const shown = (message: DnsMessage): string =>
  [
    `${rcodeName(message.rcode)} ${message.isAuthoritative ? 'AA' : '--'} ${message.isTruncated ? 'TC' : '--'} ${message.question[0]!.name.toString()}`,
    ...[...message.answer, ...message.authority]
      .map(({ name, type, ttl, rdata }) => `${name.key} ${typeName(type)} ${ttl} ${rdata.toString('hex')}`)
      .toSorted(),
  ].join('\n')

/** Extended errors (RFC 8914), as code and text. */
const errorsOf = ({ edns }: DnsMessage): string =>
  (edns?.options ?? [])
    .filter(({ code }) => code === OPTION.EXTENDED_ERROR)
    .map(({ data }) => `${data.readUInt16BE(0)} ${data.toString('utf8', 2)}`)
    .join('; ')

/** Of the answers that are not out of memory only the order may differ; out of memory, a second may have passed. */
const withoutTtl = (text: string): string => text.replaceAll(/ \d+ (?=[0-9a-f]*$)/gm, ' ')

async function isForwarded(t: TestContext, server: NameServer): Promise<void> {
  const ours = await serve(
    t,
    `cache {\nsuccess 10000 86400\ndenial 10000 86400\n}\nforward . 127.0.0.1:${server.port}`,
  )
  for (const name of NAMES)
    for (const type of TYPES) {
      const asked = `${name}${ZONE}`
      const theirs = shown(await askUdp(server.port, asked, type))
      const first = shown(await askUdp(ours, asked, type))
      assert.equal(withoutTtl(first), withoutTtl(theirs), `${asked} ${typeName(type)}`)
      const second = shown(await askUdp(ours, asked, type))
      assert.equal(withoutTtl(second), withoutTtl(theirs), `${asked} ${typeName(type)} out of memory`)
    }
}

test('what Knot DNS answers', { skip: knotIsMissing }, async (t) => {
  await isForwarded(t, await startKnot(t, [{ name: ZONE, text: TEXT }]))
})
test('what BIND answers', { skip: bindIsMissing }, async (t) => {
  await isForwarded(t, await startBind(t, [{ name: ZONE, text: TEXT }]))
})

test('what our own server answers', async (t) => {
  const behind = await serve(t, 'whoami')
  const ours = await serve(t, `forward . 127.0.0.1:${behind}`)
  const answer = await askUdp(ours, 'www.example.org', TYPE.A)
  assert.equal(answer.rcode, RCODE.NOERROR)
  assert.ok(answer.additional.length > 0)
})

test(
  'what does not fit comes over TCP from behind, and is truncated for who asked over UDP',
  { skip: knotIsMissing },
  async (t) => {
    const knot = await startKnot(t, [{ name: ZONE, text: TEXT }])
    const ours = await serve(t, `cache\nforward . 127.0.0.1:${knot.port} {\nprefer_udp\n}`)
    const first = await askUdp(ours, `giant.${ZONE}`, TYPE.TXT)
    assert.equal(first.isTruncated, true)
    const { stdout: overTcp } = await run(
      'kdig',
      `@127.0.0.1 -p ${ours} +tcp +short giant.${ZONE} TXT`.split(' '),
    )
    assert.equal(overTcp.trim().split('\n').length, 100)
    await knot.stop()
    const second = await askUdp(ours, `giant.${ZONE}`, TYPE.TXT)
    assert.equal(second.rcode, RCODE.NOERROR, 'the whole of it is in memory')
  },
)

test('BIND over TLS', { skip: bindIsMissing }, async (t) => {
  const { cert, key } = certificateMaker(t).make('bind', ['dns.example.org'])
  const port = await freePort()
  const tls = `listen-on port ${port} tls ours { 127.0.0.1; }; }; tls ours { cert-file "${cert}"; key-file "${key}"; `
  await startBind(t, [{ name: ZONE, text: TEXT }], tls)
  const ours = await serve(
    t,
    `forward . tls://127.0.0.1:${port} {\ntls ${cert}\ntls_servername dns.example.org\n}`,
  )
  const all = await Promise.all(Array.from({ length: 100 }, () => askUdp(ours, `www.${ZONE}`, TYPE.A)))
  for (const answer of all) assert.equal(answer.answer.length, 2)
  const strange = await serve(
    t,
    `forward . tls://127.0.0.1:${port} {\ntls ${cert}\ntls_servername other.example.org\n}`,
  )
  assert.equal((await askUdp(strange, `www.${ZONE}`, TYPE.A)).rcode, RCODE.SERVFAIL)
})

test(
  'while the server behind is gone, clients are served from memory, and told where they cannot be',
  { skip: knotIsMissing },
  async (t) => {
    const knot = await startKnot(t, [{ name: ZONE, text: TEXT.replaceAll(' 300 ', ' 1 ') }])
    const ours = await serve(
      t,
      `cache {\nsuccess 100 3600 0\nserve_stale 1h\nservfail 1s\n}\nforward . 127.0.0.1:${knot.port} {\nhealth_check 20ms\n}`,
    )
    await askUdp(ours, `www.${ZONE}`, TYPE.A)
    await knot.stop()
    const stale = await eventually(async () => {
      const answer = await askUdp(ours, `www.${ZONE}`, TYPE.A)
      assert.equal(answer.answer.length, 2)
      return answer.answer[0]!.ttl === 0 && answer
    })
    assert.equal(stale.rcode, RCODE.NOERROR)
    assert.match(errorsOf(stale), /^3 cache: out of date for \d+ s$/)
    const unknown = await askUdp(ours, `text.${ZONE}`, TYPE.TXT)
    assert.equal(unknown.rcode, RCODE.SERVFAIL)
    assert.ok(
      errorsOf(unknown).includes(`23 forward: 127.0.0.1:${knot.port}: ECONNREFUSED`),
      errorsOf(unknown),
    )
    assert.match(errorsOf(await askUdp(ours, `text.${ZONE}`, TYPE.TXT)), /13 cache: it failed \d s ago/)
  },
)

test('a server that forwards to itself ends with 1 and says why', async () => {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'loop-'))
  writeFileSync(
    `${folder}/Corefile`,
    `.:${port} {\n  bind 127.0.0.1\n  loop\n  forward . 127.0.0.1:${port}\n}\n`,
  )
  const { code, stdout, stderr } = await orla(['dns', '--conf', 'Corefile'], { cwd: folder })
  rmSync(folder, { recursive: true })
  assert.equal(code, 1, stderr)
  assert.match(stdout, /^ready dns=/)
  assert.match(stderr, /\[FATAL\] plugin\/loop: Seen "HINFO IN \d+\.\d+\." more than twice, loop detected/)
})
