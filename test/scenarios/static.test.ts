/** A site that is files in a folder, asked as browsers, players and attackers ask. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readlinkSync } from 'node:fs'
import { appendFile, mkdir, mkdtemp, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { RawClient } from '../harness/raw-client.ts'

const LARGE = randomBytes(3_000_000)
/** More than the kernel takes off the hands of who sends to a client that does not read. */
const HUGE = Buffer.concat(Array<Buffer>(6).fill(LARGE))

async function makeSite(t: TestContext): Promise<{ folder: string; root: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'orla-static-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const root = join(folder, 'public')
  await mkdir(join(root, 'docs/deep'), { recursive: true })
  await mkdir(join(root, '.git'))
  await mkdir(join(root, 'empty'))
  await mkdir(join(root, '.well-known'))
  const files: Readonly<Record<string, string | Uint8Array>> = {
    'public/index.html': '<h1>home</h1>',
    'public/docs/index.html': 'docs',
    'public/docs/a b.txt': 'spaced',
    'public/docs/é.txt': 'accent',
    'public/ten.txt': '0123456789',
    'public/nothing.txt': '',
    'public/app.js': 'plain script',
    'public/app.js.br': 'br',
    'public/app.js.gz': 'gzip!',
    'public/large.bin': LARGE,
    'public/huge.bin': HUGE,
    'public/.env': 'SECRET=1',
    'public/.git/config': 'secret',
    'public/.well-known/security.txt': 'contact',
    'secret.txt': 'outside',
    'public-not/x.txt': 'beside',
  }
  await mkdir(join(folder, 'public-not'))
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes)
  await symlink('../secret.txt', join(root, 'leak.txt'))
  await symlink('../public-not', join(root, 'beside'))
  await symlink('docs/index.html', join(root, 'inside.html'))
  await symlink('loop', join(root, 'loop'))
  execFileSync('mkfifo', [join(root, 'pipe')])
  return { folder, root }
}

const startSite = async (t: TestContext, options: object = {}, site: object = {}) => {
  const { folder, root } = await makeSite(t)
  const node = await startNode(t, { config: { sites: [{ static: { root, ...options }, ...site }] } })
  return { folder, root, node }
}

/** Exactly this target: other clients tidy it up. */
async function raw(node: TestNode, target: string, headers = '', method = 'GET'): Promise<string> {
  const client = await RawClient.connect(node.url)
  client.send(`${method} ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${headers}\r\n`)
  return client.readAll()
}

const statusOf = (answer: string): number => Number(answer.split(' ')[1])

test('files, folders and what is neither', async (t) => {
  const { node } = await startSite(t, {
    cacheControl: 'public, max-age=60',
    headers: { 'X-Frame-Options': 'DENY' },
  })
  const home = await node.request('/')
  assert.equal(home.text, '<h1>home</h1>')
  assert.equal(home.headers['content-type'], 'text/html; charset=utf-8')
  assert.equal(home.headers['cache-control'], 'public, max-age=60')
  assert.equal(home.headers['x-frame-options'], 'DENY')
  assert.equal(home.headers['accept-ranges'], 'bytes')
  assert.match(String(home.headers.etag), /^"[\w-]+"$/)
  for (const [path, text] of [
    ['/ten.txt?v=2', '0123456789'],
    ['/docs/', 'docs'],
    ['/docs/a%20b.txt', 'spaced'],
    ['/docs/%C3%A9.txt', 'accent'],
    ['/nothing.txt', ''],
    ['/inside.html', 'docs'],
    ['/.well-known/security.txt', 'contact'],
  ] as const) {
    const answer = await node.request(path)
    assert.equal(answer.status, 200, path)
    assert.equal(answer.text, text, path)
    assert.equal(answer.headers['content-length'], String(Buffer.byteLength(text)))
  }
  const folder = await node.request('/docs?x=1')
  assert.equal(folder.status, 301)
  assert.equal(folder.headers.location, '/docs/?x=1')
  assert.equal((await raw(node, '//docs')).match(/^location: (.*)\r$/m)?.[1], '/docs/')
  for (const [path, status] of [
    ['/missing', 404],
    ['/ten.txt/', 404],
    ['/ten.txt/x', 404],
    ['/empty/', 403],
    ['/pipe', 404],
    ['/loop', 404],
    [`/${'x'.repeat(300)}`, 404],
  ] as const) {
    const answer = await node.request(path)
    assert.equal(answer.status, status, path)
    assert.equal(answer.headers['cache-control'], 'no-store')
    assert.match(answer.text, new RegExp(`^${status} `))
  }
  const head = await raw(node, '/ten.txt', '', 'HEAD')
  assert.match(head, /content-length: 10\r\n(?:.*\r\n)*\r\n$/)
  const post = await node.request('/ten.txt', { method: 'POST', body: 'x'.repeat(100_000) })
  assert.equal(post.status, 405)
  assert.equal(post.headers.allow, 'GET, HEAD, OPTIONS')
  assert.equal((await node.request('/ten.txt', { method: 'OPTIONS' })).status, 204)
})

test('nothing outside of the folder, and nothing hidden, is served however it is asked for', async (t) => {
  const { node, root } = await startSite(t)
  const outside = [
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/%2e%2e%2fsecret.txt',
    '/docs/../../secret.txt',
    '/docs/%2e%2e/%2e%2e/secret.txt',
    '/..%5csecret.txt',
    '/..\\secret.txt',
    '/docs\\..\\..\\secret.txt',
    '/%252e%252e/secret.txt',
    '/%c0%ae%c0%ae/secret.txt',
    '/../public-not/x.txt',
    '/leak.txt',
    '/beside/x.txt',
    '/beside/',
    '/ten.txt%00.html',
    '/%00/../ten.txt',
    '/.env',
    '/%2eenv',
    '/.git/config',
    '/docs/../.git/config',
    '/.git%2fconfig',
    '/proc/self/environ',
    `/..${'/..'.repeat(20)}/etc/passwd`,
    '/....//secret.txt',
    '/;/../../secret.txt',
  ]
  for (const target of outside) {
    const answer = await raw(node, target)
    assert.ok([400, 403, 404].includes(statusOf(answer)), `${target}: ${answer}`)
    assert.doesNotMatch(
      answer.split('\r\n\r\n')[1] ?? '',
      /^outside$|^beside$|SECRET|^secret$|root:/m,
      target,
    )
    assert.ok(!answer.includes(root), 'no path of the machine is told')
  }
  // A link that is put there later is no way out either.
  await rm(join(root, 'ten.txt'))
  await symlink('/etc/hostname', join(root, 'ten.txt'))
  assert.equal((await node.request('/ten.txt')).status, 403)
})

test('parts of files', async (t) => {
  const { node } = await startSite(t)
  const get = (path: string, headers: Record<string, string>) => node.request(path, { headers })
  for (const [range, text, where] of [
    ['bytes=0-3', '0123', '0-3'],
    ['bytes=7-', '789', '7-9'],
    ['bytes=-2', '89', '8-9'],
    ['bytes=5-100', '56789', '5-9'],
  ] as const) {
    const answer = await get('/ten.txt', { range })
    assert.equal(answer.status, 206, range)
    assert.equal(answer.text, text)
    assert.equal(answer.headers['content-range'], `bytes ${where}/10`)
    assert.equal(answer.headers['content-length'], String(text.length))
  }
  const beyond = await get('/ten.txt', { range: 'bytes=10-' })
  assert.equal(beyond.status, 416)
  assert.equal(beyond.headers['content-range'], 'bytes */10')
  assert.equal((await get('/ten.txt', { range: 'bytes=4-2' })).status, 200)

  const several = await get('/ten.txt', { range: 'bytes=0-1,5-6,-1' })
  const boundary = /^multipart\/byteranges; boundary=(.+)$/.exec(String(several.headers['content-type']))![1]!
  assert.equal(several.headers['content-length'], String(several.body.length))
  const parts = several.text.split(`\r\n--${boundary}`)
  assert.equal(parts.at(-1), '--\r\n')
  assert.deepEqual(
    parts.slice(1, -1).map((part) => [/content-range: (.*)\r/.exec(part)![1], part.split('\r\n\r\n')[1]]),
    [
      ['bytes 0-1/10', '01'],
      ['bytes 5-6/10', '56'],
      ['bytes 9-9/10', '9'],
    ],
  )
  assert.equal(parts[1]!.includes('content-type: text/plain; charset=utf-8'), true)

  const middle = await get('/large.bin', { range: 'bytes=100000-2600000' })
  assert.ok(middle.body.equals(LARGE.subarray(100_000, 2_600_001)))
  const wide = await get('/large.bin', { range: 'bytes=0-299999,1000000-1299999' })
  assert.ok(
    wide.body.includes(LARGE.subarray(0, 300_000)) &&
      wide.body.includes(LARGE.subarray(1_000_000, 1_300_000)),
  )
  assert.equal(wide.headers['content-length'], String(wide.body.length))

  const { etag, 'last-modified': date } = (await node.request('/ten.txt')).headers as Record<string, string>
  for (const [condition, status] of [
    [etag, 206],
    [date, 206],
    ['"other"', 200],
    [`W/${etag}`, 200],
    ['Wed, 21 Oct 2015 07:28:00 GMT', 200],
  ] as const)
    assert.equal(
      (await get('/ten.txt', { range: 'bytes=0-0', 'if-range': condition! })).status,
      status,
      String(condition),
    )
  const head = await raw(node, '/ten.txt', 'Range: bytes=0-0\r\n', 'HEAD')
  assert.equal(statusOf(head), 200)
})

test('a client that has the file is told so, until the file is another', async (t) => {
  const { node, root } = await startSite(t, { cacheControl: 'no-cache' })
  const first = (await node.request('/ten.txt')).headers
  const ask = (headers: Record<string, string>) => node.request('/ten.txt', { headers })
  const same = await ask({ 'if-none-match': first.etag! })
  assert.equal(same.status, 304)
  assert.equal(same.headers.etag, first.etag)
  assert.equal(same.headers['cache-control'], 'no-cache')
  assert.equal(same.headers['content-length'], undefined)
  assert.equal((await ask({ 'if-modified-since': first['last-modified']! })).status, 304)
  assert.equal((await ask({ 'if-match': '"other"' })).status, 412)
  await writeFile(join(root, 'ten.txt'), '9876543210')
  const changed = await ask({ 'if-none-match': first.etag! })
  assert.equal(changed.status, 200)
  assert.equal(changed.text, '9876543210')
  await writeFile(join(root, 'new.txt'), 'ten new bytes')
  await rename(join(root, 'new.txt'), join(root, 'ten.txt'))
  assert.equal((await ask({})).text, 'ten new bytes')
})

test('on a site that compresses, files that lie there compressed are still sent as they are', async (t) => {
  const { node } = await startSite(
    t,
    { precompressed: true, cacheControl: 'max-age=600' },
    { cache: {}, compress: { minBytes: '1b' } },
  )
  const ask = (path: string, accept: string) => node.request(path, { headers: { 'accept-encoding': accept } })
  for (let round = 0; round < 2; round++) {
    // The plain file is in the cache by then: it is for those who want no other.
    assert.equal((await ask('/app.js', 'identity')).text, 'plain script')
    const br = await ask('/app.js', 'br')
    assert.deepEqual([br.headers['content-encoding'], br.text], ['br', 'br'])
    // What does not lie there is compressed on the way.
    assert.equal((await ask('/docs/index.html', 'gzip')).headers['content-encoding'], 'gzip')
  }
})

test('precompressed files go to those who take them', async (t) => {
  const { node } = await startSite(t, { precompressed: true })
  const get = (accept?: string) =>
    node.request('/app.js', { headers: accept === undefined ? {} : { 'accept-encoding': accept } })
  const tags = new Set<string>()
  for (const [accept, encoding, text] of [
    ['gzip, br, zstd', 'br', 'br'],
    ['gzip', 'gzip', 'gzip!'],
    ['zstd', undefined, 'plain script'],
    ['br;q=0', undefined, 'plain script'],
    [undefined, undefined, 'plain script'],
  ] as const) {
    const answer = await get(accept)
    assert.equal(answer.headers['content-encoding'], encoding, accept ?? 'none')
    assert.equal(answer.text, text)
    assert.equal(answer.headers['content-type'], 'text/javascript; charset=utf-8')
    assert.match(String(answer.headers.vary), /Accept-Encoding/i)
    tags.add(String(answer.headers.etag))
  }
  assert.equal(tags.size, 3)
  const plain = await startSite(t)
  const answer = await plain.node.request('/app.js', { headers: { 'accept-encoding': 'br' } })
  assert.equal(answer.headers['content-encoding'], undefined)
  assert.equal(answer.headers.vary, undefined)
})

/** Files of the site that the workers have open. */
function openFiles(node: TestNode, root: string): string[] {
  return node.processes().workers.flatMap((pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
        const place = readlinkSync(`/proc/${pid}/fd/${fd}`)
        return place.startsWith(root) ? [place] : []
      })
    } catch {
      return []
    }
  })
}

test('a large file reaches slow and fast clients whole, and no file stays open', async (t) => {
  const { node, root } = await startSite(t)
  const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
  const slow = await RawClient.connect(node.url)
  slow.socket.pause()
  slow.send('GET /huge.bin HTTP/1.1\r\nHost: a\r\n\r\n')
  const answers = await Promise.all(Array.from({ length: 5 }, () => node.request('/large.bin')))
  for (const { body } of answers) assert.equal(digest(body), digest(LARGE))
  const gone = await RawClient.connect(node.url)
  gone.socket.pause()
  gone.send('GET /huge.bin HTTP/1.1\r\nHost: a\r\n\r\n')
  await eventually(() => openFiles(node, root).length === 2)
  gone.close()
  slow.socket.resume()
  const text = await slow.readResponse()
  assert.equal(digest(Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4), 'latin1')), digest(HUGE))
  slow.send('GET /ten.txt HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.match(await slow.readResponse(), /0123456789$/)
  slow.close()
  await eventually(() => openFiles(node, root).length === 0, { what: openFiles(node, root).join() })
})

test('a file that is cut or written anew while it is sent is never taken for whole; one that grows is', async (t) => {
  const { node, root } = await startSite(t, { cacheControl: 'max-age=60' }, { cache: {} })
  for (const [what, change, isWhole] of [
    ['is cut', (path: string) => truncate(path, 2_000_000), false],
    ['is written anew', (path: string) => writeFile(path, randomBytes(8_000_000)), false],
    ['grows', (path: string) => appendFile(path, 'more'), true],
  ] as const) {
    const path = join(root, 'changing.bin')
    await writeFile(path, randomBytes(8_000_000))
    const client = await RawClient.connect(node.url)
    client.socket.pause()
    // A fetch that nobody can share goes at the pace of its client, so that the change comes in the middle.
    client.send(
      `GET /changing.bin?${encodeURIComponent(what)} HTTP/1.1\r\nHost: a\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n`,
    )
    await eventually(() => openFiles(node, root).length === 1)
    await change(path)
    client.socket.resume()
    const text = await client.readAll()
    const bytes = text.length - text.indexOf('\r\n\r\n') - 4
    assert.match(text, /content-length: 8000000\r\n/)
    if (isWhole) assert.equal(bytes, 8_000_000, what)
    else assert.ok(bytes < 8_000_000, `${what}: ${bytes} bytes`)
    assert.equal((await node.request(`/changing.bin?${encodeURIComponent(what)}`)).status, 200)
  }
})

test('cache and units do with files what they do with an origin', async (t) => {
  const { node, root } = await startSite(t, { cacheControl: 'max-age=60' }, { cache: {} })
  assert.match(String((await node.request('/ten.txt')).headers['cache-status']), /fwd=uri-miss.*stored/)
  await writeFile(join(root, 'ten.txt'), 'later')
  const hit = await node.request('/ten.txt')
  assert.match(String(hit.headers['cache-status']), /hit/)
  assert.equal(hit.text, '0123456789')
  await node.deploy(
    'stamp',
    `export default {
       rewrite(request) { if (request.path === '/old.txt') request.path = '/docs/a%20b.txt' },
       headerFilter(request, response) { response.headers.set('x-unit', 'was here') },
     }`,
  )
  const filtered = await node.request('/old.txt')
  assert.equal(filtered.text, 'spaced')
  assert.equal(filtered.headers['x-unit'], 'was here')
})

test('the root may be a link that is switched to another release', async (t) => {
  const { folder } = await makeSite(t)
  for (const release of ['one', 'two']) {
    await mkdir(join(folder, release))
    await writeFile(join(folder, release, 'index.html'), release)
  }
  await symlink('one', join(folder, 'current'))
  const node = await startNode(t, { config: { sites: [{ static: join(folder, 'current') }] } })
  assert.equal((await node.request('/')).text, 'one')
  await symlink('two', join(folder, 'next'))
  await rename(join(folder, 'next'), join(folder, 'current'))
  assert.equal((await node.request('/')).text, 'two')
})

test('a root that is not there is told at the start', async (t) => {
  await assert.rejects(
    startNode(t, { config: { sites: [{ static: './nowhere' }] } }),
    /static\.root: .*nowhere cannot be read: there is no such folder/,
  )
})
