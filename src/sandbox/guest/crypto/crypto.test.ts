/** Digests, HMAC and random bytes, held against published vectors and against Node. */
import assert from 'node:assert/strict'
import { createHash, createHmac, webcrypto } from 'node:crypto'
import { test } from 'node:test'
import { chacha20Block } from './chacha20.ts'
import { Crypto } from './crypto.ts'
import { digest, hmac, isEqualInConstantTime } from './hash.ts'
import { seedRandom } from './random.ts'
import { SHA1 } from './sha1.ts'
import { SHA256 } from './sha256.ts'
import { SHA384, SHA512 } from './sha512.ts'

const hex = (bytes: ArrayBuffer | Uint8Array): string => Buffer.from(bytes as Uint8Array).toString('hex')
const bytes = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(text, 'latin1'))
const CORES = [SHA1, SHA256, SHA384, SHA512]
const ENTROPY = '00112233445566778899aabbccddeeff'.repeat(2)

test('digests of the examples in FIPS 180-4', () => {
  const vectors: readonly (readonly [text: string, ...digests: string[]])[] = [
    [
      'abc',
      'a9993e364706816aba3e25717850c26c9cd0d89d',
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
      'cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7',
      'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
    ],
    [
      'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
      '84983e441c3bd26ebaae4aa1f95129e5e54670f1',
      '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
      '3391fdddfc8dc7393707a65b1b4709397cf8b1d162af05abfe8f450de5f36bc6b0455a8520bc4e6f5fe95b1fe3c8452b',
      '204a8fc6dda82f0a0ced7beb8e08a41657c16ef468b228a8279be331a703c33596fd15c13b1b07f9aa1d3bea57789ca031ad85c7a71dd70354ec631238ca3445',
    ],
  ]
  for (const [text, ...digests] of vectors) {
    CORES.forEach((core, i) => assert.equal(hex(digest(core, bytes(text))), digests[i], core.name))
  }
})

test('digests of every length around the blocks are those of Node', () => {
  const data = Buffer.from(Array.from({ length: 300 }, (_, i) => (i * 37) & 255))
  for (const core of CORES) {
    for (let length = 0; length <= 300; length++) {
      const nodes = createHash(core.name.replace('-', '').toLowerCase())
        .update(data.subarray(0, length))
        .digest('hex')
      assert.equal(
        hex(digest(core, new Uint8Array(data.subarray(0, length)))),
        nodes,
        `${core.name} ${length}`,
      )
    }
  }
})

test('HMAC of the test cases in RFC 4231', () => {
  const vectors: readonly (readonly [
    key: string,
    data: string,
    sha256: string,
    sha384: string,
    sha512: string,
  ])[] = [
    [
      '\x0b'.repeat(20),
      'Hi There',
      'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
      'afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6',
      '87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854',
    ],
    [
      'Jefe',
      'what do ya want for nothing?',
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
      'af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649',
      '164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737',
    ],
    [
      '\xaa'.repeat(131),
      'Test Using Larger Than Block-Size Key - Hash Key First',
      '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
      '4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952',
      '80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598',
    ],
  ]
  for (const [key, data, ...macs] of vectors) {
    ;[SHA256, SHA384, SHA512].forEach((core, i) =>
      assert.equal(hex(hmac(core, bytes(key), bytes(data))), macs[i]),
    )
  }
  assert.equal(
    hex(hmac(SHA1, bytes('key'), bytes('data'))),
    createHmac('sha1', 'key').update('data').digest('hex'),
  )
})

test('the ChaCha20 block of RFC 8439 §2.3.2', () => {
  const key = new Uint32Array(Uint8Array.from({ length: 32 }, (_, i) => i).buffer)
  const nonce = new Uint32Array(Uint8Array.from([0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0]).buffer)
  const out = new Uint8Array(64)
  chacha20Block(key, 1, nonce, out, 0)
  assert.equal(
    hex(out),
    '10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4ed2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e',
  )
})

test('random bytes follow from the entropy alone, and never repeat', () => {
  const crypto = new Crypto()
  const draw = (entropy: string) => {
    seedRandom(entropy)
    return Array.from({ length: 40 }, () => hex(crypto.getRandomValues(new Uint8Array(50))))
  }
  const first = draw(ENTROPY)
  assert.deepEqual(draw(ENTROPY), first)
  assert.notDeepEqual(draw(ENTROPY.replace('0', '1')), first)
  assert.equal(new Set(first).size, 40)
  const counts = new Uint32Array(256)
  for (let i = 0; i < 16; i++)
    for (const byte of crypto.getRandomValues(new Uint8Array(65_536))) counts[byte]!++
  // 2^20 bytes: 4096 of each, with a deviation of 64.
  for (const count of counts) assert.ok(Math.abs(count - 4096) < 6.5 * 64, String(count))
  assert.throws(() => seedRandom('00'), /32 bytes/)
})

test('getRandomValues fills arrays of whole numbers, up to its quota', () => {
  seedRandom(ENTROPY)
  const crypto = new Crypto()
  const words = new Uint32Array(4)
  assert.equal(crypto.getRandomValues(words), words)
  assert.ok(words.some((word) => word > 0xffff))
  assert.throws(() => crypto.getRandomValues(new Float64Array(1)), { name: 'TypeMismatchError' })
  assert.throws(() => crypto.getRandomValues(new Uint8Array(65_537)), { name: 'QuotaExceededError' })
  assert.throws(() => crypto.getRandomValues(5 as never), { name: 'TypeMismatchError' })
})

test('UUIDs are of version 4', () => {
  seedRandom(ENTROPY)
  const crypto = new Crypto()
  const uuids = Array.from({ length: 100 }, () => crypto.randomUUID())
  for (const uuid of uuids)
    assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.equal(new Set(uuids).size, 100)
})

test('subtle signs and verifies as Node does', async () => {
  const { subtle } = new Crypto()
  for (const hash of ['SHA-1', 'SHA-256', 'SHA-384', 'sha-512']) {
    const algorithm = { name: 'hmac', hash }
    const key = await subtle.importKey('raw', bytes('secret'), algorithm, true, ['sign', 'verify'])
    const signature = await subtle.sign('HMAC', key, bytes('data'))
    const nodes = await webcrypto.subtle.importKey('raw', bytes('secret'), algorithm, true, [
      'sign',
      'verify',
    ])
    assert.equal(hex(signature), hex(await webcrypto.subtle.sign('HMAC', nodes, bytes('data'))))
    assert.equal(await subtle.verify('HMAC', key, signature, bytes('data')), true)
    assert.equal(await subtle.verify('HMAC', key, signature, bytes('date')), false)
    assert.equal(await subtle.verify('HMAC', key, signature.slice(1), bytes('data')), false)
    const jwk = await subtle.exportKey('jwk', key)
    assert.deepEqual(jwk, await webcrypto.subtle.exportKey('jwk', nodes))
    const again = await subtle.importKey('jwk', jwk, algorithm, false, ['sign'])
    assert.equal(hex(await subtle.sign('HMAC', again, bytes('data'))), hex(signature))
    await assert.rejects(subtle.exportKey('raw', again), { name: 'InvalidAccessError' })
    await assert.rejects(subtle.verify('HMAC', again, signature, bytes('data')), {
      name: 'InvalidAccessError',
    })
  }
  assert.equal(hex(await subtle.digest({ name: 'SHA-256' }, bytes('abc'))), hex(digest(SHA256, bytes('abc'))))
})

test('subtle says what is not there', async () => {
  const { subtle } = new Crypto()
  await assert.rejects(subtle.digest('MD5', bytes('')), { name: 'NotSupportedError' })
  await assert.rejects(subtle.importKey('raw', bytes('x'), { name: 'AES-GCM' }, true, ['sign']), {
    name: 'NotSupportedError',
  })
  await assert.rejects(subtle.importKey('raw', bytes(''), { name: 'HMAC', hash: 'SHA-1' }, true, ['sign']), {
    name: 'DataError',
  })
  await assert.rejects(subtle.importKey('raw', bytes('x'), { name: 'HMAC', hash: 'SHA-1' }, true, []), {
    name: 'SyntaxError',
  })
  await assert.rejects(subtle.sign('HMAC', {}, bytes('')), TypeError)
  await assert.rejects(subtle.digest('SHA-1', 'text'), TypeError)
})

test('a generated key is as long as the block, or as asked', async () => {
  seedRandom(ENTROPY)
  const { subtle } = new Crypto()
  const lengthOf = async (algorithm: object) => {
    const key = await subtle.generateKey({ name: 'HMAC', ...algorithm }, true, ['sign'])
    return ((await subtle.exportKey('raw', key)) as ArrayBuffer).byteLength
  }
  assert.equal(await lengthOf({ hash: 'SHA-512' }), 128)
  assert.equal(await lengthOf({ hash: 'SHA-256', length: 256 }), 32)
})

test('signatures of equal length are compared to the end', () => {
  assert.equal(isEqualInConstantTime(bytes('abc'), bytes('abc')), true)
  assert.equal(isEqualInConstantTime(bytes('abc'), bytes('xbc')), false)
  assert.equal(isEqualInConstantTime(bytes('abc'), bytes('ab')), false)
})
