/** Signed questions from `dig` and `kdig`, answered by the plugin `tsig` over real sockets. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { composeDns } from '../../src/compose-dns.ts'
import { RCODE, TYPE } from '../../src/wire/dns/codes.ts'
import { DnsMessage } from '../../src/wire/dns/message.ts'
import { encodeMessage } from '../../src/wire/dns/message-writer.ts'
import { DnsName } from '../../src/wire/dns/name.ts'
import { BADSIG, findTsig, tsigError, TsigSigner } from '../../src/wire/dns/tsig.ts'

const SECRET = 'NoTCJU+DMqFWywaPyxSijrDEA/eC3nK0xi3AMEZuPVk='
const ALGORITHMS = ['hmac-md5', 'hmac-sha1', 'hmac-sha224', 'hmac-sha256', 'hmac-sha384', 'hmac-sha512']

async function portOf(t: TestContext): Promise<string> {
  const text = `.:0 {
    bind 127.0.0.1
    tsig {
        secret key.example.org. ${SECRET}
        secret strict. ${SECRET} hmac-sha512
        require TXT
    }
    whoami
}`
  const { plane } = composeDns({
    read: () => Promise.resolve({ file: 'Corefile', text, folder: process.cwd() }),
    env: {},
    log: () => undefined,
  })
  await plane.start()
  t.after(() => plane.stop())
  return plane.addresses[0]!.split(':').at(-1)!
}

async function run(command: string, ...args: readonly string[]): Promise<string> {
  // Both end with another code where an answer does not hold.
  const { stdout, stderr } = await promisify(execFile)(command, [...args]).catch(
    (error: { readonly stdout: string; readonly stderr: string }) => error,
  )
  return stdout + stderr
}

test('dig and kdig verify what is signed for them, with each algorithm', async (t) => {
  const port = await portOf(t)
  for (const algorithm of ALGORITHMS) {
    const key = `${algorithm}:key.example.org:${SECRET}`
    const dig = await run('dig', '@127.0.0.1', '-p', port, '-y', key, 'example.org', 'A')
    assert.match(dig, /status: NOERROR/, dig)
    assert.match(dig, /TSIG\s+hmac-\S+ \d+ 300 \d+ [^\n]+ NOERROR 0/, dig)
    assert.doesNotMatch(dig, /verify failure|Couldn't verify/, dig)
    const kdig = await run('kdig', '@127.0.0.1', '-p', port, '-y', key, 'example.org', 'A')
    assert.match(kdig, /status: NOERROR/, kdig)
    assert.doesNotMatch(kdig, /WARNING|ERROR:/, kdig)
  }
})

test('a wrong secret is BADSIG, a key that nobody knows and a wrong algorithm BADKEY', async (t) => {
  const port = await portOf(t)
  const dig = (key: string) => run('dig', '@127.0.0.1', '-p', port, '-y', key, 'example.org', 'A')
  assert.match(await dig('hmac-sha256:key.example.org:AAAA'), /status: NOTAUTH[^]*BADSIG/)
  assert.match(await dig(`hmac-sha256:other.example.org:${SECRET}`), /status: NOTAUTH[^]*BADKEY/)
  assert.match(await dig(`hmac-sha256:strict:${SECRET}`), /status: NOTAUTH[^]*BADKEY/)
  assert.match(await dig(`hmac-sha512:strict:${SECRET}`), /status: NOERROR/)
})

test('types that have to be signed are refused without', async (t) => {
  const port = await portOf(t)
  assert.match(await run('dig', '@127.0.0.1', '-p', port, 'example.org', 'TXT'), /status: REFUSED/)
  assert.match(await run('dig', '@127.0.0.1', '-p', port, 'example.org', 'A'), /status: NOERROR/)
  const signed = await run(
    'dig',
    '@127.0.0.1',
    '-p',
    port,
    '-y',
    `hmac-sha256:key.example.org:${SECRET}`,
    'example.org',
    'TXT',
  )
  assert.match(signed, /status: NOERROR[^]*TSIG/)
})

test('times that are too far apart are BADTIME, signed and with our time; cut MACs are taken, cut too short is FORMERR', async (t) => {
  const port = Number(await portOf(t))
  const name = DnsName.parse('key.example.org')
  const key = { name, algorithm: DnsName.parse('hmac-sha256'), secret: Buffer.from(SECRET, 'base64') }
  const question = new DnsMessage()
  question.id = 4711
  question.question.push({ name: DnsName.parse('example.org'), type: TYPE.A, class: 1 })
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  const ask = async (bytes: Buffer): Promise<Buffer> => {
    socket.send(bytes, port, '127.0.0.1')
    const [answer] = (await once(socket, 'message')) as [Buffer]
    return answer
  }
  const nowS = Date.now() / 1000
  const late = new TsigSigner(key, () => nowS - 1000)
  const answer = await ask(late.sign(encodeMessage(question)))
  assert.equal(DnsMessage.decode(answer).rcode, RCODE.NOTAUTH)
  const found = findTsig(answer)!
  assert.equal(found.tsig.error, RCODE.BADTIME)
  assert.ok(Math.abs(found.tsig.other.readUIntBE(0, 6) - nowS) < 60)
  assert.equal(tsigError(found, key, found.tsig.timeS, late.mac), 0, 'it is signed')
  assert.equal(tsigError(found, { secret: Buffer.alloc(4) }, found.tsig.timeS, late.mac), BADSIG)

  const whole = new TsigSigner(key, () => nowS).sign(encodeMessage(question))
  const { tsig } = findTsig(whole)!
  const cutTo = (bytes: number): Buffer => {
    const macAt = whole.indexOf(tsig.mac)
    const cut = Buffer.concat([whole.subarray(0, macAt + bytes), whole.subarray(macAt + tsig.mac.length)])
    cut.writeUInt16BE(bytes, macAt - 2)
    cut.writeUInt16BE(
      cut.readUInt16BE(macAt - 12 - key.algorithm.wire.length) - 32 + bytes,
      macAt - 12 - key.algorithm.wire.length,
    )
    return cut
  }
  assert.equal(DnsMessage.decode(await ask(cutTo(16))).rcode, RCODE.NOERROR)
  assert.equal(DnsMessage.decode(await ask(cutTo(15))).rcode, RCODE.FORMERR)
})

test('the messages of an answer are bound to each other, as dnspython verifies them', async () => {
  const key = {
    name: DnsName.parse('k'),
    algorithm: DnsName.parse('hmac-sha512'),
    secret: Buffer.from(SECRET, 'base64'),
  }
  const question = new DnsMessage()
  question.question.push({ name: DnsName.parse('example.org'), type: TYPE.AXFR, class: 1 })
  const nowS = () => Date.now() / 1000
  const asked = new TsigSigner(key, nowS).sign(encodeMessage(question))
  const signer = new TsigSigner(key, nowS, { tsig: findTsig(asked)!.tsig, error: 0 })
  question.isResponse = true
  const messages = Array.from({ length: 3 }, () => signer.sign(encodeMessage(question)).toString('hex'))
  const { askPython } = await import('../../src/wire/dns/testing/python.ts')
  const script = `
import dns.message, dns.tsig, dns.name, json, sys
case = json.load(sys.stdin)
ring = {dns.name.from_text('k'): dns.tsig.Key('k', case['secret'], 'hmac-sha512')}
asked = dns.message.from_wire(bytes.fromhex(case['asked']), keyring=ring)
context = None
for message in case['messages']:
    read = dns.message.from_wire(bytes.fromhex(message), keyring=ring, request_mac=asked.mac, tsig_ctx=context, multi=True)
    context = read.tsig_ctx
    print(json.dumps(read.had_tsig))
`
  assert.deepEqual(await askPython(script, { secret: SECRET, asked: asked.toString('hex'), messages }), [
    true,
    true,
    true,
  ])
})
