/** `fetch`, but for bodies that go on after their heads: where it goes, what it costs and what it says. */
import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { HostCall } from '../../contract/host-calls.ts'
import { error, serve, stand, TIMEOUTS } from './fetch.support.ts'

const read = async (request: IncomingMessage) => {
  let text = ''
  for await (const piece of request) text += String(piece)
  return text
}

test('an answer comes whole, with its headers, over connections that are kept', async (t) => {
  const ports = new Set<number>()
  const url = await serve(t, async (request, response) => {
    ports.add(request.socket.remotePort!)
    response.setHeader('x-seen', `${request.method} ${request.url} ${request.headers['x-own']}`)
    response.end(`${await read(request)} ã`)
  })
  const { get } = stand(t)
  for (let i = 0; i < 5; i++) {
    const answer = await get(
      `${url}/a?b=c#d`,
      { method: 'POST', headers: 'X-Own: 1\r\nHost: evil\r\nContent-Length: 1\r\n' },
      'bödy',
    )
    assert.match(answer.head, /^200 0 OK\nhttp:\/\/127\.0\.0\.1:\d+\/a\?b=c\n/)
    assert.match(answer.head, /x-seen: POST \/a\?b=c 1\r\n/)
    assert.equal(Buffer.from(answer.body, 'latin1').toString(), 'bödy ã')
  }
  assert.equal(ports.size, 1)
})

test('private addresses are refused, however they are written, and so are redirects to them', async (t) => {
  const url = await serve(t, (request, response) => {
    response.writeHead(302, { location: decodeURIComponent(request.url!.slice(1)) }).end()
  })
  const { get } = stand(t)
  const { port } = new URL(url)
  const ways = [
    `http://localhost:${port}/`,
    `http://0.0.0.0:${port}/`,
    `http://127.0.0.2:${port}/`,
    `http://[::1]:${port}/`,
    `http://[::ffff:127.0.0.2]:${port}/`,
    'http://2130706434/',
    'http://0x7f.2/',
    'http://169.254.169.254/latest/meta-data',
    'http://10.0.0.1/',
  ]
  for (const way of ways) {
    assert.equal(error(await get(way)).code, 'fetch-private', way)
    const redirected = error(await get(`${url}/${encodeURIComponent(way)}`))
    assert.equal(redirected.code, 'fetch-private', `redirected to ${way}`)
    const { host } = new URL(way)
    assert.ok(redirected.message.includes(`: ${host} is`), `${redirected.message} tells ${host}`)
  }
  for (const way of ['file:///etc/passwd', 'ftp://example.org/', 'http://a:b@example.org/']) {
    assert.equal(error(await get(way)).code, 'fetch-invalid', way)
    assert.equal(error(await get(`${url}/${encodeURIComponent(way)}`)).code, 'fetch-invalid', way)
  }
  assert.equal(error(await get('http://127.0.0.1:22/')).code, 'fetch-refused')
  assert.equal(error(await get('http://no.such.name.invalid/')).code, 'fetch-unresolved')
})

test('redirects are followed as the Fetch standard says', async (t) => {
  const other = await serve(t, async (request, response) => {
    response.end(`other ${request.method} ${request.headers.authorization} ${await read(request)}`)
  })
  const url = await serve(t, async (request, response) => {
    const [, status, ...to] = request.url!.split('/')
    if (status === 'end')
      response.end(`${request.method} ${request.headers.authorization} ${await read(request)}`)
    else if (status === 'loop') response.writeHead(302, { location: '/loop' }).end()
    else if (status === 'other') response.writeHead(307, { location: other }).end()
    else response.writeHead(Number(status), { location: `/${to.join('/')}` }).end()
  })
  const { get } = stand(t)
  const post = { method: 'POST', headers: 'Authorization: secret\r\n' }
  assert.equal((await get(`${url}/303/end`, post, 'x')).body, 'GET secret ')
  assert.equal((await get(`${url}/302/307/end`, post, 'x')).body, 'GET secret ')
  const kept = await get(`${url}/308/end`, post, 'x')
  assert.equal(kept.body, 'POST secret x')
  assert.match(kept.head, /^200 1 OK\n.*\/end\n/)
  assert.equal((await get(`${url}/other`, post, 'x')).body, 'other POST undefined x')
  assert.match((await get(`${url}/301/end`, { redirect: 'manual' })).head, /^301 0 [^]*location: \/end/)
  assert.match(
    error(await get(`${url}/301/end`, { redirect: 'error' })).message,
    /it was redirected to \/end/,
  )
  assert.match(error(await get(`${url}/loop`)).message, /redirected more than 20 times/)
})

test('budgets hold over all fetches of an invocation', async (t) => {
  const url = await serve(
    t,
    (request, response) => void response.end('x'.repeat(Number(request.url!.slice(1)))),
  )
  const { get } = stand(t, { requestsMax: 3, bytesMax: 1000 })
  assert.equal((await get(`${url}/400`)).body.length, 400)
  assert.match(
    error(await get(`${url}/700`)).message,
    /may fetch 1000 bytes in all \(edge\.fetch\.bytesMax\)/,
  )
  assert.equal((await get(`${url}/600`)).ok, true)
  const spent = error(await get(`${url}/0`))
  assert.equal(spent.code, 'fetch-budget')
  assert.match(spent.message, /may fetch 3 times \(edge\.fetch\.requestsMax\)/)
})

test('a body is decoded', async (t) => {
  const url = await serve(t, (request, response) => {
    const body = request.url === '/lie' ? Buffer.from('not gzip') : gzipSync('hello')
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(body)
  })
  const { get } = stand(t)
  const answer = await get(`${url}/`)
  assert.equal(answer.body, 'hello')
  assert.doesNotMatch(answer.head, /content-encoding|content-length/)
  assert.equal(error(await get(`${url}/lie`)).code, 'origin-garbage')
  // Who asks for an encoding gets it.
  const raw = await get(`${url}/`, { headers: 'Accept-Encoding: gzip\r\n' })
  assert.deepEqual(Buffer.from(raw.body, 'latin1'), gzipSync('hello'))
})

test('a fetch tells how many led to it, and the budget shrinks with them', async (t) => {
  const url = await serve(t, (request, response) => void response.end(String(request.headers['cdn-loop'])))
  assert.equal((await stand(t).get(url)).body, 'orla; fetch=1')
  const head = (hops: number) => `GET / HTTP/1.1\r\nCDN-Loop: fastly, orla; fetch=${hops}\r\n`
  assert.equal((await stand(t, {}, head(2)).get(url)).body, 'fastly, orla; fetch=3')
  const third = stand(t, { requestsMax: 8 }, head(3))
  assert.equal((await third.get(url)).ok, true)
  assert.match(error(await third.get(url)).message, /may fetch 1 times, after 3 fetches that led to it/)
  assert.match(error(await stand(t, { requestsMax: 8 }, head(4)).get(url)).message, /it goes in a loop/)
})

test('a server that fails is told by its code, and a fetch that is given up ends its connection', async (t) => {
  let closed = 0
  const url = await serve(t, (request) => {
    request.socket.on('close', () => closed++)
    if (request.url === '/cut') request.socket.destroy()
  })
  const { calls, account, get } = stand(t, { timeouts: { ...TIMEOUTS, response: 300 } })
  assert.equal(error(await get('http://127.0.0.1:1024/')).code, 'origin-refused')
  assert.equal(error(await get(`${url}/cut`, { method: 'POST' })).code, 'origin-closed')
  assert.equal(error(await get(`${url}/slow`)).code, 'origin-timeout-response')
  const before = closed
  const unit = { name: 'u' } as HostCall['unit']
  const head = JSON.stringify({ url: `${url}/wait`, method: 'GET', headers: '', redirect: 'follow' })
  const giveUp = calls.start({ unit, kind: 'fetch', head, body: '', isBytes: false, account }, () =>
    assert.fail('it was given up'),
  )
  await new Promise((resolve) => setTimeout(resolve, 50))
  giveUp()
  while (closed === before) await new Promise((resolve) => setTimeout(resolve, 5))
})

test('what may be fetched changes while a node runs; a fetch under way goes on as it began', async (t) => {
  const { calls, get } = stand(t, { sites: [] })
  const held = Promise.withResolvers<void>()
  const arrived = Promise.withResolvers<void>()
  const origin = await serve(t, (request, response) => {
    if (request.url !== '/slow') return void response.end('answer')
    arrived.resolve()
    void held.promise.then(() => response.writeHead(302, { location: '/end' }).end())
  })
  assert.equal(error(await get(origin)).code, 'fetch-private')
  const closed = { allowPrivate: false, sites: [], requestsMax: 50, bytesMax: 1_000_000, timeouts: TIMEOUTS }
  calls.use({ ...closed, sites: ['127.0.0.1'] })
  assert.equal((await get(origin)).ok, true)
  const slow = get(`${origin}/slow`)
  await arrived.promise
  calls.use(closed)
  assert.equal(error(await get(origin)).code, 'fetch-private')
  held.resolve()
  assert.equal((await slow).ok, true)
})
