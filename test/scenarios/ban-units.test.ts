/** Bans that units ask for, and the ready-made guard of a login that does, on a real node. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { TRUSTING_EDGE } from '../harness/many-clients.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { ROOT } from '../shape/tree.ts'

const from = (address: string, more: object = {}) => ({ headers: { 'x-forwarded-for': address }, ...more })

test('whom a unit bans is kept out on all workers when the await ends, and the list says by whom', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, {
    config: { edge: { workers: 2, ...TRUSTING_EDGE }, sites: [{ origin: origin.url }] },
    units: {
      warden: `export default {
        paths: '/ban',
        limits: { wallMs: 30000, cpuMs: 1000 },
        async content(request, edge) {
          try {
            const { prefix, until } = await edge.ban(request.query.get('target'), request.query.get('for') ?? '10m', { reason: 'bad manners' })
            return Response.json({ prefix, left: until - Date.now() })
          } catch (error) {
            return Response.json({ code: error.code, message: error.message })
          }
        },
      }`,
    },
  })
  const ban = async (query: string) =>
    JSON.parse((await node.request(`/ban?${query}`, from('203.0.113.1'))).text) as {
      prefix?: string
      left?: number
      code?: string
      message?: string
    }
  const { prefix, left } = await ban('target=192.0.2.0/24')
  assert.equal(prefix, '192.0.2.0/24')
  assert.ok(left! > 500_000 && left! <= 600_000, String(left))
  for (let i = 0; i < 6; i++) assert.equal((await node.request('/', from('192.0.2.9'))).status, 403)
  assert.equal((await node.request('/', from('198.51.100.9'))).status, 200)
  assert.ok((await ban('target=198.51.100.7&for=10d')).left! > 9 * 86_400_000)
  assert.ok((await ban('target=198.51.100.7&for=1m')).left! > 9 * 86_400_000, 'a longer one stays')
  const { text } = await node.api('GET', '/v1/bans')
  assert.match(text, /"by":"unit warden"/)
  assert.match(text, /bad manners/)
  for (const [query, code, message] of [
    ['target=127.0.0.1', /./, /127\.0\.0\.1/],
    ['target=1.2.3.4/33', /^ban-invalid$/, /1\.2\.3\.4\/33/],
    ['target=::/129', /^ban-invalid$/, /::\/129/],
    ['target=192.0.2.7&for=soon', /^ban-invalid$/, /"soon" is not a time from "1s" to "366d"/],
  ] as const) {
    const refused = await ban(query)
    assert.match(String(refused.code), code, query)
    assert.match(String(refused.message), message, query)
  }
})

test('the guard of a login makes who fails wait, and bans who goes on all the same', async (t) => {
  const origin = await startOrigin(t, ({ headers }, response) => {
    response.writeHead(headers['x-password'] === 'right' ? 200 : 401).end('origin')
  })
  const node = await startNode(t, {
    config: { edge: { workers: 2, ...TRUSTING_EDGE }, sites: [{ origin: origin.url }] },
  })
  const { code, stderr } = await node.orla('deploy', join(ROOT, 'units', 'login-guard.ts'), '--env', 'BAN=1h')
  assert.equal(code, 0, stderr)
  const tries = async (address: string, count: number, password = 'wrong') => {
    const all: number[] = []
    for (let i = 0; i < count; i++) {
      const headers = { 'x-forwarded-for': address, 'x-password': password }
      all.push((await node.request('/login', { method: 'POST', headers })).status)
    }
    return all
  }
  // Whoever knows the password is never held up.
  assert.deepEqual(await tries('192.0.2.1', 12, 'right'), Array(12).fill(200))
  // What the fifth failed took is there before the sixth is asked.
  assert.deepEqual(await tries('192.0.2.2', 6), [401, 401, 401, 401, 401, 429])
  const waits = await node.request('/login', from('192.0.2.2', { method: 'POST' }))
  assert.equal(waits.text, 'too many tries\n')
  const seconds = Number(waits.headers['retry-after'])
  assert.ok(seconds > 60 && seconds <= 120, String(seconds))
  assert.deepEqual(await tries('192.0.2.3', 1, 'right'), [200], 'others do not wait')
  // The eleventh that is refused is one too many; its own connection may go with the ban.
  assert.deepEqual(await tries('192.0.2.2', 8), Array(8).fill(429))
  await tries('192.0.2.2', 1).catch(() => [])
  await eventually(async () => (await node.request('/other', from('192.0.2.2'))).status === 403)
  assert.deepEqual(await tries('192.0.2.3', 1, 'right'), [200])
  assert.match((await node.api('GET', '/v1/bans')).text, /192\.0\.2\.2.*unit login-guard/)
})
