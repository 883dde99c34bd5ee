/** Who asks, behind proxies and without them: what the origin is told, what units see, and who is believed. */
import assert from 'node:assert/strict'
import { request as send } from 'node:http'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { freePort } from '../harness/ports.ts'

/** A request from one of the loopback's many addresses, so that a node can trust one and not the other. */
function askFrom(
  localAddress: string,
  url: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string; via: string | undefined; cache: string | undefined }> {
  return new Promise((resolve, reject) => {
    send(url, { localAddress, headers, agent: false }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (piece: string) => (text += piece))
      answer.on('end', () =>
        resolve({
          status: answer.statusCode!,
          text,
          via: answer.headers['via'],
          cache: answer.headers['cache-status'] as string | undefined,
        }),
      )
    })
      .on('error', reject)
      .end()
  })
}

const PROXY = '127.0.0.1'
const STRANGER = '127.0.0.2'

const TELL = `{
  paths: ['/unit'], limits: { cpuMs: 1000 },
  content: (request, edge) => Response.json([
    edge.client.address, edge.client.port > 0, edge.client.scheme, request.url, request.headers.get('x-forwarded-for'),
  ])
}`

test('the edge behind a proxy that it trusts, and open to strangers', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    response.setHeader('via', '1.0 inner')
    if (request.url!.startsWith('/cached')) response.setHeader('cache-control', 'max-age=60')
    response.end(JSON.stringify(request.headers))
  })
  const node = await startNode(t, {
    config: {
      edge: { trustedProxies: [`${PROXY}/32`] },
      sites: [
        { hosts: ['*'], origin: origin.url, cache: {} },
        { hosts: ['both.example'], origin: origin.url, forwarded: 'both' },
        { hosts: ['none.example'], origin: origin.url, forwarded: 'none' },
      ],
    },
    units: {
      tell: `export default ${TELL}`,
      // By address: whoever is in stays in, so a hundred addresses are not all on one side.
      side: `export default { paths: ['/sample'], limits: { cpuMs: 1000 }, sample: { share: 0.5, by: 'address' }, content: () => new Response('in') }`,
    },
  })
  const { host, port } = new URL(node.url)
  const forged = {
    'x-forwarded-for': '6.6.6.6',
    forwarded: 'for=6.6.6.6',
    'x-real-ip': '6.6.6.6',
    'x-forwarded-proto': 'https',
  }

  await t.test('what a stranger says of himself is replaced', async () => {
    const seen = JSON.parse((await askFrom(STRANGER, `${node.url}/a`, forged)).text) as Record<string, string>
    assert.equal(seen['x-forwarded-for'], STRANGER)
    assert.equal(seen['x-forwarded-proto'], 'http')
    assert.equal(seen['x-forwarded-host'], host)
    assert.equal(seen['x-forwarded-port'], port)
    assert.equal(seen['forwarded'], undefined)
    assert.equal(seen['x-real-ip'], undefined)
    assert.equal(seen['via'], '1.1 orla')
    assert.match(seen['cdn-loop']!, /^orla; node=[0-9a-f]{16}$/)
  })

  await t.test('a trusted proxy is believed, and its chain grows', async () => {
    const headers = {
      'x-forwarded-for': '6.6.6.6, 203.0.113.7',
      'x-forwarded-proto': 'https',
      via: '2 front',
    }
    const answer = await askFrom(PROXY, `${node.url}/a`, headers)
    const seen = JSON.parse(answer.text) as Record<string, string>
    assert.equal(seen['x-forwarded-for'], `6.6.6.6, 203.0.113.7, ${PROXY}`)
    assert.equal(seen['x-forwarded-proto'], 'https')
    assert.equal(seen['via'], '2 front, 1.1 orla')
    assert.equal(answer.via, '1.0 inner, 1.1 orla')
  })

  await t.test('each site chooses what its origin is told', async () => {
    const both = JSON.parse(
      (await askFrom(STRANGER, `${node.url}/a`, { ...forged, host: 'both.example' })).text,
    )
    assert.equal(both['x-forwarded-for'], STRANGER)
    assert.equal(both['forwarded'], `for=${STRANGER};host=both.example;proto=http`)
    const none = JSON.parse(
      (await askFrom(STRANGER, `${node.url}/a`, { ...forged, host: 'none.example' })).text,
    )
    assert.equal(none['x-forwarded-for'] ?? none['forwarded'] ?? none['x-forwarded-proto'], undefined)
  })

  await t.test('units see who asks, and none of the lies', async () => {
    const stranger = JSON.parse((await askFrom(STRANGER, `${node.url}/unit`, forged)).text)
    assert.deepEqual(stranger, [STRANGER, true, 'http', `${node.url}/unit`, null])
    const behind = await askFrom(PROXY, `${node.url}/unit`, {
      'x-forwarded-for': '2001:DB8::9',
      'x-forwarded-proto': 'https',
    })
    assert.deepEqual(JSON.parse(behind.text), [
      '2001:db8::9',
      false,
      'https',
      `https://${host}/unit`,
      '2001:DB8::9',
    ])
  })

  await t.test('a sample by address goes by who asks, not by the proxy', async () => {
    const sides = new Set<boolean>()
    for (let i = 1; i <= 40 && sides.size < 2; i++) {
      const answer = await askFrom(PROXY, `${node.url}/sample`, { 'x-forwarded-for': `203.0.113.${i}` })
      sides.add(answer.text === 'in')
    }
    assert.equal(sides.size, 2)
  })

  await t.test('answers for one scheme are not given to the other, and Via is kept with them', async () => {
    const over = (scheme: string) => askFrom(PROXY, `${node.url}/cached`, { 'x-forwarded-proto': scheme })
    assert.match((await over('http')).cache!, /fwd=uri-miss/)
    assert.match((await over('https')).cache!, /fwd=uri-miss/)
    const hit = await eventually(async () => {
      const answer = await over('https')
      return answer.cache!.includes('hit') && answer
    })
    assert.equal((JSON.parse(hit.text) as Record<string, string>)['x-forwarded-proto'], 'https')
    assert.equal(hit.via, '1.0 inner, 1.1 orla')
  })
})

test('an origin that leads back to the edge is a loop, and ends at once', async (t) => {
  const outer = await startOrigin(t)
  const node = await startNode(t, { config: { sites: [{ origin: outer.url, cache: {} }] } })
  await outer.close()
  // The node's own address, known only now: a second node leads to the first one and back.
  const first = await startNode(t, { config: { sites: [{ origin: node.url }] } })
  const chained = await first.request('/x')
  assert.equal(chained.status, 502, 'two nodes after each other are no loop')

  const own = `127.0.0.1:${await freePort()}`
  const loop = await startNode(t, {
    config: { edge: { listen: own }, sites: [{ origin: `http://${own}`, cache: {} }] },
  })
  const answer = await loop.request('/x')
  assert.equal(answer.status, 508)
  assert.match(answer.headers['proxy-status'] as string, /error=proxy_loop_detected/)
  assert.match(answer.text, /come back/)
  await eventually(() => loop.stderr().includes('it came back to this node'))
})
