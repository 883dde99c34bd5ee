/** The ready-made unit that checks JSON Web Tokens, with keys that it fetches. */
import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { ROOT } from '../shape/tree.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const other = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const NOW = Math.floor(Date.now() / 1000)

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const withSignature = (head: object, claims: object, signer: (signed: string) => Buffer) => {
  const signed = `${part(head)}.${part(claims)}`
  return `${signed}.${signer(signed).toString('base64url')}`
}
const rs256 = (claims: object, key: KeyObject = rsa.privateKey, kid = 'r1') =>
  withSignature({ alg: 'RS256', kid }, claims, (text) => sign('sha256', Buffer.from(text), key))
const es256 = (claims: object) =>
  withSignature({ alg: 'ES256', kid: 'e1' }, claims, (text) =>
    sign('sha256', Buffer.from(text), { key: ec.privateKey, dsaEncoding: 'ieee-p1363' }),
  )
const hs256 = (claims: object, secret: string, head: object = { alg: 'HS256' }) =>
  withSignature(head, claims, (text) => createHmac('sha256', secret).update(text).digest())

const JWKS = {
  keys: [
    { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'r1', use: 'sig', alg: 'RS256' },
    { ...ec.publicKey.export({ format: 'jwk' }), kid: 'e1' },
  ],
}

/** What the server of the keys says; undefined where it says nothing. */
interface KeyServer {
  asked: number
  keys: readonly object[] | undefined
}

async function start(t: TestContext, ...options: string[]): Promise<TestNode & { server: KeyServer }> {
  const server: KeyServer = { asked: 0, keys: JWKS.keys }
  const origin = await startOrigin(t, (request, response) => {
    if (request.url !== '/keys') {
      response.end(
        `for ${request.headers['x-jwt-subject'] ?? 'nobody'} ${request.headers.authorization ?? ''}`,
      )
      return
    }
    server.asked += 1
    if (server.keys) response.end(JSON.stringify({ keys: server.keys }))
  })
  const node = await startNode(t, {
    config: { edge: { fetch: { allowPrivate: true } }, sites: [{ origin: origin.url }] },
  })
  const given = options.map((option) => option.replace('ORIGIN', origin.url))
  const { code, stderr } = await node.orla('deploy', join(ROOT, 'units/jwt.ts'), ...given)
  assert.equal(code, 0, stderr)
  return Object.assign(node, { server })
}

const ask = (node: TestNode, token?: string, headers: Record<string, string> = {}) =>
  node.request('/', {
    headers: { ...headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
  })

test('tokens of keys that are fetched let in, others do not', async (t) => {
  const node = await start(t, '--env', 'JWKS_URL=ORIGIN/keys', '--env', 'ISSUER=me', '--env', 'AUDIENCE=tv')
  const claims = { sub: 'ana', iss: 'me', aud: ['x', 'tv'], exp: NOW + 600 }
  for (const token of [rs256(claims), es256({ ...claims, aud: 'tv' })]) {
    const answer = await ask(node, token, { 'x-jwt-subject': 'forged' })
    assert.deepEqual([answer.status, answer.text], [200, 'for ana '], token)
  }
  const [head, body, signature] = rs256(claims).split('.')
  const publicPem = rsa.publicKey.export({ format: 'pem', type: 'spki' }) as string
  const WRONG: readonly (readonly [token: string | undefined, why: RegExp])[] = [
    [undefined, /no token/],
    ['x', /malformed/],
    ['a.b.c', /malformed/],
    [`${head}.${body}.`, /malformed/],
    [`${head}.${part({ ...claims, sub: 'eli' })}.${signature}`, /signature/],
    [rs256(claims, other.privateKey), /signature/],
    [rs256(claims, rsa.privateKey, 'unknown'), /signature/],
    [withSignature({ alg: 'none' }, claims, () => Buffer.from('x')), /signature/],
    // A public key is no secret, whatever the token says of it.
    [hs256(claims, publicPem), /signature/],
    [rs256({ ...claims, exp: NOW - 60 }), /expired/],
    [rs256({ ...claims, exp: 'soon' }), /expired/],
    [rs256({ ...claims, nbf: NOW + 600 }), /not valid yet/],
    [rs256({ ...claims, iss: 'you' }), /another issuer/],
    [rs256({ ...claims, aud: 'radio' }), /somebody else/],
    [
      withSignature({ alg: 'RS256', kid: 'r1', crit: ['b64'] }, claims, (text) =>
        sign('sha256', Buffer.from(text), rsa.privateKey),
      ),
      /not known here/,
    ],
  ]
  for (const [token, why] of WRONG) {
    const answer = await ask(node, token)
    assert.equal(answer.status, 401, `${why}`)
    assert.match(answer.text, why)
    assert.match(String(answer.headers['www-authenticate']), /^Bearer/)
  }
  // Once for each isolate: neither each token nor each key that is made up asks again.
  assert.ok(node.server.asked <= 2, `${node.server.asked}`)
})

test('tokens of a shared secret, and in a cookie', async (t) => {
  const node = await start(t, '--secret', 'SECRET=topsecret', '--env', 'COOKIE=session', '--env', 'KEEP=yes')
  const good = hs256({ sub: 'eli' }, 'topsecret')
  assert.equal((await ask(node, good)).text, `for eli Bearer ${good}`)
  assert.equal((await ask(node, undefined, { cookie: `session=${good}` })).text, 'for eli ')
  assert.equal((await ask(node, hs256({ sub: 'eli' }, 'other'))).status, 401)
  assert.equal((await ask(node, rs256({ sub: 'eli' }))).status, 401)
})

test('a server of keys that says nothing keeps people out for as long as it does so, and no longer', async (t) => {
  const node = await start(t, '--env', 'JWKS_URL=ORIGIN/keys', '--wall-ms', '1000')
  const { server } = node
  server.keys = undefined
  assert.equal((await ask(node, rs256({ sub: 'ana' }))).status, 503)
  assert.equal(server.asked, 1)
  server.keys = JWKS.keys
  await eventually(async () => (await ask(node, rs256({ sub: 'ana' }))).text === 'for ana ')
})

test('of several keys each is tried where a token names none, and one that is broken keeps nobody out', async (t) => {
  const node = await start(t, '--env', 'JWKS_URL=ORIGIN/keys')
  node.server.keys = [
    { kty: 'RSA', kid: 'broken', n: '!' },
    other.publicKey.export({ format: 'jwk' }),
    ...JWKS.keys,
  ]
  const nameless = withSignature({ alg: 'RS256' }, { sub: 'ana' }, (text) =>
    sign('sha256', Buffer.from(text), rsa.privateKey),
  )
  assert.equal((await ask(node, nameless)).text, 'for ana ')
  assert.equal((await ask(node, rs256({ sub: 'eve' }, rsa.privateKey, 'broken'))).status, 401)
})

test('the origin is told every subject, and no two look alike', async (t) => {
  const node = await start(t, '--secret', 'SECRET=topsecret')
  for (const [sub, told] of [
    ['auth0|42', 'auth0|42'],
    ['José', 'Jos%C3%A9'],
    ['a b', 'a%20b'],
    ['a%20b', 'a%2520b'],
    ['a\r\nx-admin: yes', 'a%0D%0Ax-admin:%20yes'],
    [undefined, 'nobody'],
  ]) {
    assert.equal((await ask(node, hs256({ sub }, 'topsecret'))).text, `for ${told} `)
  }
  assert.equal((await ask(node, hs256({ sub: 42 }, 'topsecret'))).status, 401)
})

test('a server of keys that fails does not open the breaker of the unit: once it answers, everybody is let in', async (t) => {
  const node = await start(t, '--env', 'JWKS_URL=ORIGIN/nothing')
  for (let i = 0; i < 30; i++) {
    const answer = await ask(node, rs256({ sub: 'ana' }))
    assert.equal(answer.status, 503)
    assert.match(answer.text, /their keys are not to be had/)
    assert.equal(answer.headers['retry-after'], '5')
  }
  assert.match(
    (await node.api('GET', '/metrics')).text,
    /orla_unit_breaker_state\{unit="jwt",version="1",state="closed",worker="0"\} 1/,
  )
})
