/**
 * Cache poisoning and deception, tried from outside: an origin that believes whatever it is told, clients that tell it a lot, and others
 * who must not get what came of it.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Ask } from '../harness/http-client.ts'
import { TRUSTING_EDGE } from '../harness/many-clients.ts'
import { siteNamed, startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { exchange } from '../harness/raw-client.ts'

/** What frameworks take host, scheme, path and method from, and a word that would show in the answer. */
const LIES: Readonly<Record<string, string>> = {
  'X-Forwarded-Host': 'evil.example',
  'X-Forwarded-Scheme': 'evil',
  'X-Forwarded-Proto': 'evil',
  'X-Forwarded-Port': '666',
  'X-Forwarded-Prefix': '/evil',
  'X-Forwarded-Server': 'evil.example',
  'X-Forwarded-Ssl': 'evil',
  Forwarded: 'for=1.2.3.4;host=evil.example',
  'X-Host': 'evil.example',
  'X-Original-Host': 'evil.example',
  'X-HTTP-Host-Override': 'evil.example',
  'X-Original-URL': '/evil',
  'X-Rewrite-URL': '/evil',
  X_Original_URL: '/evil',
  'X-Envoy-Original-Path': '/evil',
  'X-HTTP-Method-Override': 'EVIL',
  'X-HTTP-Method': 'EVIL',
  'X-Method-Override': 'EVIL',
  'X-Middleware-Subrequest': 'evil',
  'X-Invoke-Path': '/evil',
  'Orla-Device': 'evil',
  Proxy: 'http://evil.example',
}

/** Says all headers that it was sent, and does as it is told. */
const credulous = (t: Parameters<typeof startOrigin>[0]) =>
  startOrigin(t, (request, response) => {
    const path = request.url!
    // Path confusion: it looks at the start of the path alone.
    if (path.startsWith('/account')) {
      response.writeHead(200, { 'content-type': 'text/html' }).end('the account of 4711')
      return
    }
    if (path.startsWith('/error')) {
      response.writeHead(404, { 'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT' }).end('no')
      return
    }
    const { 'x-located': located } = request.headers
    const location = typeof located === 'string' && { 'content-location': located }
    response.writeHead(200, { 'cache-control': 'max-age=3600', ...location })
    response.end(JSON.stringify(request.headers))
  })

const get = (node: TestNode, host: string, path: string, headers: Ask['headers'] = {}, more: Ask = {}) =>
  node.request(path, { headers: { host, ...headers }, ...more })

test('one client does not decide what another one gets', async (t) => {
  const origin = await credulous(t)
  const cached = (name: string, more: object = {}) =>
    siteNamed(name, origin.url, { cache: { ram: '4mb', ...more } })
  const node = await startNode(t, {
    config: {
      sites: [
        cached('shop'),
        cached('parts', { key: { headers: ['X-Tenant'], device: true } }),
        cached('bare', { key: { query: 'none' } }),
        cached('keyed', { key: { headers: ['X-Original-URL'] } }),
        cached('open', { unkeyedHeaders: ['X-Original-URL', 'X-HTTP-Method-Override'] }),
        siteNamed('uncached', origin.url),
        siteNamed('both', origin.url, { forwarded: 'both', cache: { ram: '4mb' } }),
      ],
    },
  })

  for (const [name, value] of Object.entries(LIES)) {
    await t.test(`${name} reaches no origin whose answers are kept`, async () => {
      const path = `/lie/${name}`
      const first = await get(node, 'shop.example.org', path, { [name]: value })
      assert.doesNotMatch(first.text, /evil|"666"/i)
      const { text, headers } = await get(node, 'shop.example.org', path)
      assert.match(String(headers['cache-status']), /; hit/)
      assert.doesNotMatch(text, /evil|"666"/i)
    })
  }

  await t.test('a header in the key reaches the origin, and answers are told apart by it', async () => {
    const evil = await get(node, 'keyed.example.org', '/k', { 'x-original-url': '/evil' })
    assert.match(evil.text, /"x-original-url":"\/evil"/)
    const { text, headers } = await get(node, 'keyed.example.org', '/k')
    assert.match(String(headers['cache-status']), /uri-miss/)
    assert.doesNotMatch(text, /evil/)
  })

  await t.test(
    'what is in the key reaches the origin as the key has it, whatever a client does about it',
    async () => {
      const told = async (headers: Ask['headers']) => {
        const answer = await get(node, 'parts.example.org', '/parts', headers)
        const { 'x-tenant': tenant, x_tenant: spelt, 'orla-device': device } = JSON.parse(answer.text)
        return [tenant, spelt, device, String(answer.headers['cache-status']).includes('hit')]
      }
      const phone = 'X (iPhone)'
      // Fields that `Connection` names end here (RFC 9110 §7.6.1): then they choose nothing.
      const connection = 'close, x-tenant, user-agent'
      const stripped = await told({ 'x-tenant': 'acme', 'user-agent': phone, connection })
      assert.deepEqual(stripped, [undefined, undefined, 'desktop', false])
      assert.deepEqual(await told({ 'x-tenant': 'acme', 'user-agent': phone }), [
        'acme',
        undefined,
        'phone',
        false,
      ])
      assert.deepEqual(await told({ 'x-tenant': 'acme', 'user-agent': phone }), [
        'acme',
        undefined,
        'phone',
        true,
      ])
      assert.deepEqual(await told({}), [undefined, undefined, 'desktop', true])
      // Behind CGI the one is the other.
      assert.deepEqual(await told({ x_tenant: 'evil' }), [undefined, undefined, 'desktop', true])
      assert.deepEqual(await told({ x_tenant: 'evil', 'x-tenant': 'b' }), ['b', undefined, 'desktop', false])
    },
  )

  await t.test('a header that the site lets pass reaches the origin', async () => {
    const { text } = await get(node, 'open.example.org', '/o', {
      'x-original-url': '/x',
      'x-http-method-override': 'PUT',
      'x-rewrite-url': '/y',
    })
    assert.match(text, /"x-original-url":"\/x"/)
    assert.match(text, /"x-http-method-override":"PUT"/)
    assert.doesNotMatch(text, /x-rewrite-url/)
  })

  await t.test('a site without a cache passes on what it always did', async () => {
    const { text } = await get(node, 'uncached.example.org', '/u', { 'x-original-url': '/x' })
    assert.match(text, /"x-original-url":"\/x"/)
  })

  await t.test('what is bypassed is not asked for with other headers than what is kept', async () => {
    const { text } = await get(
      node,
      'shop.example.org',
      '/bypass',
      { 'x-original-url': '/evil' },
      { method: 'POST' },
    )
    assert.doesNotMatch(text, /evil/)
  })

  await t.test('the origin is told the host as the key has it, however a client writes it', async () => {
    const odd = await get(node, 'both.example.org', '/h', { host: 'BOTH.example.org.:80' })
    const { host: own, 'x-forwarded-host': host, 'x-forwarded-port': port, forwarded } = JSON.parse(odd.text)
    assert.deepEqual([own, host, port], ['both.example.org', 'both.example.org', '80'])
    assert.match(forwarded, /;host=both\.example\.org;/)
    const { headers } = await get(node, 'both.example.org', '/h')
    assert.match(String(headers['cache-status']), /; hit/)
  })

  await t.test('a GET with a body decides nothing for others', async () => {
    const path = '/fat'
    await get(node, 'shop.example.org', path, {}, { body: 'a=evil' })
    const { headers } = await get(node, 'shop.example.org', path)
    assert.match(String(headers['cache-status']), /uri-miss; .*stored/)
  })

  await t.test(
    'a POST that may be kept for GETs is not where the key leaves out some of its query',
    async () => {
      const post = (host: string, path: string) =>
        get(node, host, path, { 'x-located': path }, { method: 'POST' })
      await post('bare.example.org', '/posted?evil')
      const { headers } = await get(node, 'bare.example.org', '/posted')
      assert.match(String(headers['cache-status']), /uri-miss/)
      await post('shop.example.org', '/posted?honest')
      const kept = await get(node, 'shop.example.org', '/posted?honest')
      assert.match(String(kept.headers['cache-status']), /; hit/)
    },
  )

  await t.test('a target in absolute form names the host, whatever Host says', async () => {
    const asked = `GET http://shop.example.org/absolute HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`
    const text = await exchange(node.url, asked)
    assert.doesNotMatch(text, /evil/)
    const { headers } = await get(node, 'shop.example.org', '/absolute')
    assert.match(String(headers['cache-status']), /; hit/)
  })

  await t.test("web cache deception: a path that ends like a file's makes nothing storable", async () => {
    for (const path of [
      '/account/x.css',
      '/account.php/y.js',
      '/account;z.png',
      '/account%2f..%2fa.css',
      '/account/%0a.ico',
    ]) {
      await get(node, 'shop.example.org', path, { cookie: 'session=4711' })
      const { headers } = await get(node, 'shop.example.org', path)
      assert.match(String(headers['cache-status']), /uri-miss/, path)
      assert.doesNotMatch(String(headers['cache-status']), /stored/, path)
    }
  })

  await t.test(
    'cache-poisoned denial of service: an error without a word of its age is not kept',
    async () => {
      await get(node, 'shop.example.org', '/error', { 'x-oversized': 'x'.repeat(4000) })
      const { headers } = await get(node, 'shop.example.org', '/error')
      assert.doesNotMatch(String(headers['cache-status']), /; hit/)
    },
  )
})

test('what a trusted proxy passes on of its clients is told apart by the key, or not passed on', async (t) => {
  const origin = await credulous(t)
  const node = await startNode(t, {
    config: { edge: { ...TRUSTING_EDGE }, sites: [{ origin: origin.url, cache: { ram: '4mb' } }] },
  })
  const ask = async (headers: Ask['headers']) => {
    const { text, headers: got } = await get(node, 'shop.example.org', '/p', headers)
    return { status: String(got['cache-status']), told: JSON.parse(text) as Record<string, string> }
  }
  const chain = await ask({
    'x-forwarded-for': '192.0.2.1, 127.0.0.1',
    'x-forwarded-host': 'evil.example, one.example, two.example',
    'x-forwarded-port': '666',
    'x-forwarded-prefix': '/evil',
  })
  assert.deepEqual(
    [chain.told['x-forwarded-host'], chain.told['x-forwarded-port'], chain.told['x-forwarded-prefix']],
    ['two.example', '80', undefined],
  )
  assert.match(chain.told['x-forwarded-for']!, /^192\.0\.2\.1, 127\.0\.0\.1, /)
  const plain = await ask({ 'x-forwarded-for': '192.0.2.1' })
  assert.match(plain.status, /uri-miss/)
  assert.equal(plain.told['x-forwarded-host'], 'shop.example.org')
  const again = await ask({ 'x-forwarded-for': '192.0.2.9', 'x-forwarded-host': 'two.example' })
  assert.match(again.status, /; hit/)
})
