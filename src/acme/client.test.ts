/** Authorities that do not do as they should. What a good one does is shown by a real one, in `test/scenarios/acme.test.ts`. */
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { AcmeConfig } from '../config/schema.ts'
import { AcmeClient } from './client.ts'
import { makeKey } from './requests.ts'

const MINUTES = { answer: 600_000, poll: 1, decision: 600_000 }

type Answerer = (response: ServerResponse, base: string, request: IncomingMessage) => void

/** Does what it should, but at the paths for which it is told otherwise. Resolves to what the client says of it. */
async function complaint(
  t: TestContext,
  odd: Readonly<Record<string, Answerer | object>>,
  times = MINUTES,
): Promise<string> {
  const server = createServer((request, response) => {
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const at = (path: string) => `${base}/${path}`
    const usual: Record<string, object> = {
      directory: { newNonce: at('nonce'), newAccount: at('account'), newOrder: at('order') },
      nonce: {},
      account: {},
      order: { status: 'ready', authorizations: [at('authorisation')], finalize: at('finalize') },
      authorisation: {
        status: 'pending',
        challenges: [{ type: 'http-01', token: 'dG9rZW4', url: at('challenge') }],
      },
      challenge: {},
    }
    const path = request.url!.slice(1)
    const answer = odd[path] ?? usual[path] ?? {}
    response.setHeader('replay-nonce', 'bm9uY2U')
    response.setHeader('location', request.url === '/account' ? at('account') : at('order'))
    request.resume()
    if (typeof answer === 'function') (answer as Answerer)(response, base, request)
    else response.end(JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close().closeAllConnections())
  const { port } = server.address() as AddressInfo
  const config: AcmeConfig = {
    directory: `http://127.0.0.1:${port}/directory`,
    contact: [],
    challenge: 'http-01',
  }
  const published = new Set<string>()
  const client = new AcmeClient(config, makeKey(), undefined, times)
  const error = await client
    .obtain('a.example.org', makeKey(), {
      async publish(name) {
        published.add(name)
      },
      withdraw: async (name) => void published.delete(name),
    })
    .then(
      () => assert.fail('it was content'),
      (thrown: Error & { code?: string }) => thrown,
    )
  assert.equal(error.code, 'acme-failed', String(error.stack))
  assert.equal(published.size, 0, 'its challenge was withdrawn')
  return error.message.replaceAll(`127.0.0.1:${port}`, 'AUTHORITY')
}

const html: Answerer = (response) => void response.end('<html>It works!</html>')
const drip: Answerer = (response) => {
  const timer = setInterval(() => response.write(' '), 5)
  response.on('close', () => clearInterval(timer))
}

const withoutNonce: Answerer = (response, base) => {
  response.removeHeader('replay-nonce')
  response.end(JSON.stringify({ newNonce: `${base}/nonce`, newAccount: `${base}/account` }))
}

for (const [what, odd, told] of [
  ['a page instead of its directory', { directory: html }, /^it gives no newAccount in its directory$/],
  ['a redirect for its directory', { directory: status(302) }, /^its directory answered 302$/],
  ['a directory that is a list', { directory: [1] }, /^it gives no newAccount in its directory$/],
  ['no nonce', { directory: withoutNonce, nonce: without('replay-nonce') }, /^it gives no nonce$/],
  [
    'a nonce that it never likes',
    { account: problem('urn:ietf:params:acme:error:badNonce', 'stale') },
    /^stale$/,
  ],
  ['an account without an address', { account: without('location') }, /^the account has no address$/],
  [
    'too many requests',
    { order: problem('urn:ietf:params:acme:error:rateLimited', 'too many') },
    /^too many$/,
  ],
  ['an error that is a page', { order: status(503) }, /^it answered 503$/],
  ['an order without authorisations', { order: { status: 'pending' } }, /^no authorisations$/],
  [
    'an authorisation at no address',
    { order: { authorizations: ['nowhere'] } },
    /^it gives "nowhere" for an address$/,
  ],
  [
    'an authorisation of another protocol',
    { order: { authorizations: ['file:///etc/passwd'] } },
    /^it gives "file:\/\/\/etc\/passwd" for an address$/,
  ],
  [
    'challenges that are none',
    { authorisation: { challenges: 'none' } },
    /^no http-01 is offered for a\.example\.org$/,
  ],
  [
    'challenges of nothing',
    { authorisation: { challenges: [null, 7, { type: 'dns-01' }] } },
    /^no http-01 is offered/,
  ],
  [
    'a token that is a path',
    { authorisation: { challenges: [{ type: 'http-01', token: '../../x' }] } },
    /^the token of its challenge for a\.example\.org is not in form$/,
  ],
  [
    'a refusal that is no object',
    {
      authorisation: {
        status: 'invalid',
        challenges: [{ type: 'http-01', token: 't', url: 'x', error: 'no' }],
      },
    },
    /^it gives "x" for an address$/,
  ],
  [
    'a connection that it cuts',
    { order: (response: ServerResponse) => void response.destroy() },
    /^AUTHORITY: socket hang up$/,
  ],
  [
    'an answer that it cuts',
    {
      directory: (response: ServerResponse) => {
        response.writeHead(200, { 'content-length': 100 }).write('{', () => response.destroy())
      },
    },
    /^AUTHORITY: aborted$/,
  ],
  [
    'an answer without end',
    { directory: (response: ServerResponse) => void response.end(Buffer.alloc(2_000_000, 32)) },
    /^AUTHORITY: its answer is longer than 1000000 bytes$/,
  ],
] as const) {
  test(`an authority with ${what} is told`, async (t) => {
    assert.match(await complaint(t, odd as never), told)
  })
}

test('an authority that gives its answer in drops is not waited for', async (t) => {
  assert.equal(
    await complaint(t, { directory: drip }, { ...MINUTES, answer: 100 }),
    'AUTHORITY: no whole answer within 0.1 s',
  )
})

test('an authority that never answers is not waited for', async (t) => {
  assert.equal(
    await complaint(t, { directory: () => {} }, { ...MINUTES, answer: 100 }),
    'AUTHORITY: no whole answer within 0.1 s',
  )
})

test('an authority that never decides is not waited for', async (t) => {
  assert.equal(
    await complaint(t, {}, { ...MINUTES, decision: 100 }),
    'it did not come to a decision within 0.1 s',
  )
})

function status(code: number): Answerer {
  return (response) => void response.writeHead(code).end('<html>')
}

function without(header: string): Answerer {
  return (response) => {
    response.removeHeader(header)
    response.end('{}')
  }
}

function problem(type: string, detail: string): Answerer {
  return (response) => void response.writeHead(400).end(JSON.stringify({ type, detail }))
}
