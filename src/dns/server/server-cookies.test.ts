import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ServerCookies } from './server-cookies.ts'
import { sipHash24 } from './sip-hash.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

test('SipHash-2-4 of the first bytes, as its paper has it (appendix A)', () => {
  const key = Buffer.from(Array.from({ length: 16 }, (_, index) => index))
  const message = key.subarray(0, 15)
  assert.equal(sipHash24(key, message).readBigUInt64LE(), 0xa129ca6149be45e5n)
  assert.equal(sipHash24(key, Buffer.alloc(0)).readBigUInt64LE(), 0x726fdb47dd0e0e31n)
})

/** RFC 9018 appendix A: what servers of other makers give. */
const SECRET = hex('e5e973e5a6b2a43f48e7dc849e37bfcf')

test('RFC 9018 A.1: a new server cookie', () => {
  const cookies = new ServerCookies(SECRET, () => 1_559_731_985)
  const cookie = cookies.answer(hex('2464c4abcf10c957'), Buffer.from([198, 51, 100, 100]))
  assert.equal(cookie.toString('hex'), '2464c4abcf10c957010000005cf79f111f8130c3eee29480')
})

test('RFC 9018 A.2: the same client again, some minutes later, keeps its cookie', () => {
  const cookies = new ServerCookies(SECRET, () => 1_559_734_385)
  const address = Buffer.from([198, 51, 100, 100])
  const sent = hex('2464c4abcf10c957 010000005cf79f111f8130c3eee29480')
  assert.equal(cookies.read(sent, address), 'proven')
  // Forty minutes are more than half an hour: there is a new one.
  assert.equal(
    cookies.answer(sent, address).toString('hex'),
    '2464c4abcf10c957010000005cf7a871d4a564a1442aca77',
  )
  const young = new ServerCookies(SECRET, () => 1_559_732_985)
  assert.deepEqual(young.answer(sent, address), sent)
})

test('RFC 9018 A.4: a client with IPv6, and a secret that was rolled', () => {
  const cookies = new ServerCookies(hex('445536bcd2513298075a5d379663c962'), () => 1_559_741_961)
  const address = hex('20010db80220000159de d0f4 8769 82b8')
  const cookie = cookies.answer(hex('22681ab97d52c298'), address)
  assert.equal(cookie.toString('hex'), '22681ab97d52c298010000005cf7c609a6bb79d16625507a')
})

const NOW = 1_700_000_000
const ADDRESS = Buffer.from([192, 0, 2, 1])
const made = (ageS: number) => new ServerCookies(SECRET, () => NOW - ageS).answer(Buffer.alloc(8, 1), ADDRESS)

for (const [what, cookie, reading] of [
  ['the client alone', Buffer.alloc(8), 'client'],
  ['one of ours', made(0), 'proven'],
  ['one of an hour ago', made(3600), 'proven'],
  ['one that is too old', made(3601), 'client'],
  ['one of five minutes ahead', made(-300), 'proven'],
  ['one of further ahead', made(-301), 'client'],
  ['one of another maker', Buffer.alloc(32, 9), 'client'],
  [
    'one with a bit turned over',
    Buffer.from(made(0).map((byte, index) => (index === 20 ? byte ^ 1 : byte))),
    'client',
  ],
  ['nothing', Buffer.alloc(0), 'malformed'],
  ['nine bytes', Buffer.alloc(9), 'malformed'],
  ['too many bytes', Buffer.alloc(41), 'malformed'],
] as const)
  test(`${what} is read as ${reading}`, () => {
    assert.equal(new ServerCookies(SECRET, () => NOW).read(cookie, ADDRESS), reading)
  })

test('a cookie of ours from another address proves nothing', () => {
  assert.equal(new ServerCookies(SECRET, () => NOW).read(made(0), Buffer.from([192, 0, 2, 2])), 'client')
})

test('the clock of four bytes turns over', () => {
  const before = new ServerCookies(SECRET, () => 0xffff_fff0).answer(Buffer.alloc(8), ADDRESS)
  assert.equal(new ServerCookies(SECRET, () => 0x1_0000_0010).read(before, ADDRESS), 'proven')
})
