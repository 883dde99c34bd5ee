/** Signatures of public keys, verified by a unit on a real node, beside what Node itself says of them. */
import assert from 'node:assert/strict'
import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { test } from 'node:test'
import { startNode } from '../harness/node.ts'

/** Told a case as JSON, says what `verify` says, or throws. */
const UNIT = `
const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
export default {
  paths: ['/verify'],
  async content(request) {
    const { format, key, algorithm, verify, usages = ['verify'], signature, data } = await request.json()
    try {
      const imported = await crypto.subtle.importKey(format, format === 'spki' ? bytes(key) : key, algorithm, true, usages)
      const isGood = await crypto.subtle.verify(verify ?? algorithm, imported, bytes(signature), bytes(data))
      return Response.json({ isGood, type: imported.type, algorithm: imported.algorithm })
    } catch (error) {
      return Response.json({ error: error.name, message: error.message })
    }
  },
}`

const DATA = Buffer.from('what was signed → é')

interface Pair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

const rsa: Pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
const p256: Pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const p384: Pair = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const p521: Pair = generateKeyPairSync('ec', { namedCurve: 'P-521' })
const ed25519: Pair = generateKeyPairSync('ed25519')

const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
const ecdsa = (pair: Pair, hash: string) =>
  sign(hash, DATA, { key: pair.privateKey, dsaEncoding: 'ieee-p1363' })

const CASES: readonly {
  readonly name: string
  readonly pair: Pair
  readonly algorithm: object
  readonly verify?: object
  readonly signature: Buffer
  readonly shown: object
}[] = [
  {
    name: 'RS256',
    pair: rsa,
    algorithm: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
    signature: sign('sha256', DATA, rsa.privateKey),
    shown: { name: 'RSASSA-PKCS1-v1_5', hash: { name: 'SHA-256' } },
  },
  {
    name: 'PS256',
    pair: rsa,
    algorithm: { name: 'RSA-PSS', hash: { name: 'SHA-256' } },
    verify: { name: 'RSA-PSS', saltLength: 32 },
    signature: sign('sha256', DATA, { key: rsa.privateKey, ...pss }),
    shown: { name: 'RSA-PSS', hash: { name: 'SHA-256' } },
  },
  ...(
    [
      ['ES256', p256, 'P-256', 'SHA-256'],
      ['ES384', p384, 'P-384', 'SHA-384'],
      ['ES512', p521, 'P-521', 'SHA-512'],
    ] as const
  ).map(([name, pair, namedCurve, hash]) => ({
    name,
    pair,
    algorithm: { name: 'ECDSA', namedCurve },
    verify: { name: 'ECDSA', hash },
    signature: ecdsa(pair, hash.replace('-', '').toLowerCase()),
    shown: { name: 'ECDSA', namedCurve },
  })),
  {
    name: 'EdDSA',
    pair: ed25519,
    algorithm: { name: 'Ed25519' },
    signature: sign(null, DATA, ed25519.privateKey),
    shown: { name: 'Ed25519' },
  },
]

const base64 = (bytes: Buffer) => bytes.toString('base64')
const spki = ({ publicKey }: Pair) => base64(publicKey.export({ format: 'der', type: 'spki' }))
const jwk = ({ publicKey }: Pair) => publicKey.export({ format: 'jwk' })

test('signatures of public keys are verified', async (t) => {
  const node = await startNode(t, { units: { verify: UNIT } })
  const ask = async (body: object) => {
    const answer = await node.request('/verify', { method: 'POST', body: JSON.stringify(body) })
    assert.equal(answer.status, 200, answer.text)
    return JSON.parse(answer.text) as {
      isGood?: boolean
      type?: string
      algorithm?: object
      error?: string
      message?: string
    }
  }
  for (const { name, pair, algorithm, verify, signature, shown } of CASES) {
    await t.test(name, async () => {
      const good = { algorithm, verify, signature: base64(signature), data: base64(DATA) }
      for (const given of [
        { format: 'jwk', key: jwk(pair) },
        { format: 'spki', key: spki(pair) },
      ]) {
        const answer = await ask({ ...given, ...good })
        assert.deepEqual(answer, { isGood: true, type: 'public', algorithm: shown })
        const changed = Buffer.from(signature)
        changed[5]! ^= 1
        assert.equal((await ask({ ...given, ...good, signature: base64(changed) })).isGood, false)
        assert.equal((await ask({ ...given, ...good, data: base64(Buffer.from('other')) })).isGood, false)
        assert.equal((await ask({ ...given, ...good, signature: '' })).isGood, false)
      }
    })
  }
  const rs256 = {
    format: 'jwk',
    key: jwk(rsa),
    algorithm: CASES[0]!.algorithm,
    signature: 'AAAA',
    data: 'AAAA',
  }
  const es256 = {
    ...rs256,
    key: jwk(p256),
    algorithm: { name: 'ECDSA', namedCurve: 'P-256' },
    verify: { name: 'ECDSA', hash: 'SHA-256' },
  }
  const WRONG: readonly (readonly [what: string, given: object, error: string, message: RegExp])[] = [
    ['a key of another kind', { ...rs256, key: jwk(p256) }, 'DataError', /kty "RSA"/],
    ['a curve that is not the key’s', { ...es256, key: jwk(p384) }, 'DataError', /not P-256/],
    [
      'a curve that is none',
      { ...es256, algorithm: { name: 'ECDSA', namedCurve: 'P-1' } },
      'NotSupportedError',
      /P-256, P-384 or P-521/,
    ],
    ['bytes that are no key', { ...rs256, format: 'spki', key: 'AAAA' }, 'TypeError', /no public key/],
    ['a JWK without its parts', { ...rs256, key: { kty: 'RSA' } }, 'TypeError', /no public key/],
    ['a key in another format', { ...rs256, format: 'raw' }, 'NotSupportedError', /jwk or spki/],
    ['a use that is not one of it', { ...rs256, usages: ['sign'] }, 'SyntaxError', /for verify/],
    ['a use that it was not imported for', { ...rs256, usages: [] }, 'InvalidAccessError', /not for verify/],
    [
      'another algorithm than the key’s',
      { ...rs256, verify: { name: 'ECDSA', hash: 'SHA-256' } },
      'InvalidAccessError',
      /not one for ECDSA/,
    ],
    [
      'spki of another kind',
      { ...rs256, format: 'spki', key: spki(ed25519) },
      'TypeError',
      /ed25519 is not for RSA/,
    ],
    [
      'an algorithm that is none',
      { ...rs256, algorithm: { name: 'RSA-OAEP', hash: 'SHA-256' } },
      'NotSupportedError',
      /RSA-OAEP/,
    ],
  ]
  for (const [what, given, error, message] of WRONG) {
    await t.test(what, async () => {
      const answer = await ask(given)
      assert.equal(answer.error, error, JSON.stringify(answer))
      assert.match(answer.message!, message)
    })
  }
})
