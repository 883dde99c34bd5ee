/** Ranges of what is cached, and what is cached of ranges, through a real node before a real origin. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { divisible, startDivisibleOrigin, type DivisibleOrigin } from '../harness/divisible-origin.ts'
import type { Answer } from '../harness/http-client.ts'
import { eventually } from '../harness/eventually.ts'
import { PATIENT, startNode, type TestNode } from '../harness/node.ts'

const TEXT = Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz')
const LARGE = randomBytes(3 * 1024 * 1024 + 17)

interface Stand {
  readonly origin: DivisibleOrigin
  readonly node: TestNode
  get(path: string, headers?: Record<string, string>, method?: string): Promise<Answer>
}

async function stand(t: TestContext, cache: object = {}, site: object = {}): Promise<Stand> {
  const origin = await startDivisibleOrigin(t, {})
  const config = {
    edge: { limits: PATIENT },
    sites: [{ origin: origin.url, cache: { ram: '32mb', ...cache }, ...site }],
  }
  const node = await startNode(t, { config })
  return {
    origin,
    node,
    get: (path, headers = {}, method = 'GET') => node.request(path, { headers, method }),
  }
}

const range = (text: string, more: Record<string, string> = {}) => ({ range: `bytes=${text}`, ...more })
const statusOf = (answer: Answer) => String(answer.headers['cache-status'])

/** `206 bytes 0-1/36: 01`. */
const told = (answer: Answer) =>
  `${answer.status} ${answer.headers['content-range'] ?? ''}: ${answer.text.slice(0, 40)}`

test('ranges of a response that is stored whole', async (t) => {
  const { origin, get, node } = await stand(t)
  const lastModified = new Date(Date.now() - 3_600_000).toUTCString()
  origin.objects['/text'] = divisible(TEXT)
  origin.objects['/text']!.fields['last-modified'] = lastModified
  origin.objects['/large'] = divisible(LARGE)
  await get('/text')
  await get('/large')

  await t.test('RFC 9110 §14.1.2: a first, a last, an open one; with what describes it', async () => {
    for (const [asked, expected] of [
      ['0-0', '206 bytes 0-0/36: 0'],
      ['2-4', '206 bytes 2-4/36: 234'],
      ['33-', '206 bytes 33-35/36: xyz'],
      ['-2', '206 bytes 34-35/36: yz'],
      ['30-999', '206 bytes 30-35/36: uvwxyz'],
      ['2-3,4-5', '206 bytes 2-5/36: 2345'],
    ] as const)
      assert.equal(told(await get('/text', range(asked))), expected, asked)
    const answer = await get('/text', range('2-4'))
    assert.equal(answer.headers['content-length'], '3')
    assert.equal(answer.headers['content-type'], 'application/x-test')
    assert.equal(answer.headers['accept-ranges'], 'bytes')
    assert.equal(answer.headers.etag, '"one"')
    assert.ok(answer.headers.date)
    assert.match(String(answer.headers.age), /^\d+$/)
    assert.match(statusOf(answer), /^orla; hit; ttl=\d+$/)
  })

  await t.test('RFC 9110 §14.2: what is no range, or absurd, is answered whole', async () => {
    for (const asked of ['5-4', 'x', '0-,0-', Array(40).fill('0-0').join(',')]) {
      const answer = await get('/text', range(asked))
      assert.equal(answer.status, 200, asked)
      assert.equal(answer.body.length, 36)
    }
  })

  await t.test('RFC 9110 §15.5.17: 416 says how much there is', async () => {
    const answer = await get('/text', range('36-'))
    assert.equal(answer.status, 416)
    assert.equal(answer.headers['content-range'], 'bytes */36')
    assert.equal(answer.headers['cache-control'], 'no-store')
  })

  await t.test('RFC 9110 §15.3.7.2: several come between boundaries', async () => {
    const answer = await get('/large', range('0-9,2000000-2999999,-5'))
    assert.equal(answer.status, 206)
    assert.equal(answer.headers['content-range'], undefined)
    const [, boundary] = /^multipart\/byteranges; boundary=(.+)$/.exec(answer.headers['content-type']!)!
    assert.equal(answer.headers['content-length'], String(answer.body.length))
    const parts = answer.body.toString('latin1').split(`--${boundary}`)
    assert.equal(parts.length, 5)
    assert.match(parts[1]!, /content-range: bytes 0-9\/3145745\r\n/)
    const bytes = parts.slice(1, 4).map((part) => part.slice(part.indexOf('\r\n\r\n') + 4, -2))
    const expected = [LARGE.subarray(0, 10), LARGE.subarray(2_000_000, 3_000_000), LARGE.subarray(-5)]
    expected.forEach((part, i) => assert.ok(Buffer.from(bytes[i]!, 'latin1').equals(part), `${i}`))
  })

  await t.test('RFC 9110 §13.1.5: If-Range by tag and by date', async () => {
    for (const [condition, status] of [
      ['"one"', 206],
      ['"two"', 200],
      ['W/"one"', 200],
      [lastModified, 206],
      [new Date(Date.now() - 9_000_000).toUTCString(), 200],
    ] as const)
      assert.equal((await get('/text', range('0-1', { 'if-range': condition }))).status, status, condition)
    // Without a range it says nothing.
    assert.equal((await get('/text', { 'if-range': '"one"' })).status, 200)
  })

  await t.test('RFC 9110 §13.2.2: a condition is judged before the range', async () => {
    assert.equal((await get('/text', range('0-1', { 'if-none-match': '"one"' }))).status, 304)
    assert.equal((await get('/text', range('0-1', { 'if-none-match': '"two"' }))).status, 206)
    assert.equal((await get('/text', range('0-1', { 'if-modified-since': lastModified }))).status, 304)
  })

  await t.test('RFC 9110 §14.2: HEAD knows no ranges', async () => {
    const answer = await get('/text', range('0-1'), 'HEAD')
    assert.equal(answer.status, 200)
    assert.equal(answer.headers['content-length'], '36')
  })

  await t.test('large ones are exact, also several at once and over one connection', async () => {
    const asks = Array.from({ length: 20 }, (_, i) => [
      i * 150_000,
      i * 150_000 + 1 + ((i * 997_001) % 200_000),
    ])
    await Promise.all(
      asks.map(async ([start, end]) => {
        const { status, body } = await get('/large', range(`${start}-${end! - 1}`))
        assert.equal(status, 206)
        assert.ok(body.equals(LARGE.subarray(start, end)), `${start}-${end}`)
      }),
    )
  })

  await t.test('what the head is changed to by a unit goes along', async () => {
    const unit = `export default { paths: ['/text'], headerFilter(request, response) { response.headers.set('x-unit', 'yes') } }`
    await node.deploy('head', unit)
    const answer = await get('/text', range('2-4'))
    assert.equal(told(answer), '206 bytes 2-4/36: 234')
    assert.equal(answer.headers['x-unit'], 'yes')
  })
  assert.deepEqual(origin.asked, ['/text -', '/large -'])
})

test('ranges of what is not stored', async (t) => {
  const { origin, get } = await stand(t)

  await t.test('RFC 9111 §3.3: what is passed on is kept, and is enough for what lies in it', async () => {
    origin.objects['/a'] = divisible(TEXT)
    const first = await get('/a', range('2-11'))
    assert.equal(told(first), '206 bytes 2-11/36: 23456789ab')
    assert.match(statusOf(first), /^orla; fwd=uri-miss; ttl=\d+; stored$/)
    const second = await get('/a', range('4-5'))
    assert.equal(told(second), '206 bytes 4-5/36: 45')
    assert.match(statusOf(second), /^orla; hit; ttl=\d+$/)
    assert.equal(told(await get('/a', range('3-4,8-9'))).slice(0, 3), '206')
    assert.deepEqual(origin.asked.splice(0), ['/a 2-11'])
  })

  await t.test('RFC 9111 §3.4: only what is missing is asked for, and then it is whole', async () => {
    origin.objects['/b'] = divisible(TEXT)
    await get('/b', range('4-7'))
    const wider = await get('/b', range('2-9'))
    assert.equal(told(wider), '206 bytes 2-9/36: 23456789')
    assert.match(statusOf(wider), /^orla; fwd=partial; fwd-status=206/)
    const whole = await get('/b')
    assert.equal(told(whole), `200 : ${TEXT}`)
    assert.match(statusOf(whole), /^orla; fwd=partial; fwd-status=206/)
    assert.equal(whole.headers['content-length'], '36')
    const again = await get('/b')
    assert.equal(told(again), `200 : ${TEXT}`)
    assert.match(statusOf(again), /^orla; hit/)
    assert.deepEqual(origin.asked.splice(0), [
      '/b 4-7',
      '/b 2-3 if-range',
      '/b 8-9 if-range',
      '/b 0-1 if-range',
      '/b 10-35 if-range',
    ])
  })

  await t.test(
    'RFC 9111 §3.4: an origin that has another version by now replaces what was there',
    async () => {
      origin.objects['/c'] = divisible(TEXT)
      await get('/c', range('4-7'))
      origin.objects['/c'] = divisible(Buffer.from('another, and longer than the one before it'), '"two"')
      const whole = await get('/c')
      assert.equal(told(whole), '200 : another, and longer than the one before ')
      assert.match(statusOf(await get('/c')), /hit/)
      assert.equal(told(await get('/c', range('0-6'))), '206 bytes 0-6/42: another')
      assert.deepEqual(origin.asked.splice(0), ['/c 4-7', '/c 0-3 if-range'])
    },
  )

  await t.test('a suffix and an open range are kept as what they turn out to be', async () => {
    origin.objects['/d'] = divisible(TEXT)
    assert.equal(told(await get('/d', range('-3'))), '206 bytes 33-35/36: xyz')
    assert.equal(told(await get('/d', range('30-'))), '206 bytes 30-35/36: uvwxyz')
    assert.equal(told(await get('/d', range('31-33'))), '206 bytes 31-33/36: vwx')
    assert.deepEqual(origin.asked.splice(0), ['/d -3', '/d 30-32 if-range'])
  })

  await t.test('an origin that knows no ranges is passed on whole, and kept', async () => {
    origin.instead = (request, response) => {
      response.writeHead(200, { 'cache-control': 'max-age=60', etag: '"x"' }).end('all of it')
      return request.url === '/e'
    }
    const answer = await get('/e', range('0-2'))
    origin.instead = () => false
    assert.equal(told(answer), '200 : all of it')
    assert.equal(told(await get('/e', range('0-2'))), '206 bytes 0-2/9: all')
    assert.deepEqual(origin.asked.splice(0), ['/e 0-2'])
  })

  await t.test('a stale response is asked about together with the range', async () => {
    origin.objects['/f'] = divisible(TEXT, '"one"', 'max-age=0')
    await get('/f')
    const same = await get('/f', range('0-1'))
    assert.equal(told(same), '206 bytes 0-1/36: 01')
    assert.match(statusOf(same), /fwd=stale; fwd-status=304/)
    origin.objects['/f'] = divisible(Buffer.from('new'), '"two"')
    assert.equal(told(await get('/f', range('0-1'))), '206 bytes 0-1/3: ne')
    assert.equal(told(await get('/f')), '200 : new')
    assert.deepEqual(origin.asked.splice(0), [
      '/f -',
      '/f 0-1 if-none-match',
      '/f 0-1 if-none-match',
      '/f 2-2 if-range',
    ])
  })

  await t.test('clients that ask for one range at the same time make one request of it', async () => {
    let release: (() => void) | undefined
    origin.objects['/g'] = divisible(LARGE)
    origin.instead = (request, response) => {
      release = () => {
        response.writeHead(206, {
          'cache-control': 'max-age=60',
          etag: '"g"',
          'content-range': `bytes 0-99/1000`,
        })
        response.end(LARGE.subarray(0, 100))
      }
      return request.url === '/g'
    }
    const answers = Array.from({ length: 5 }, () => get('/g', range('0-99')))
    await eventually(() => release !== undefined)
    release!()
    for (const answer of await Promise.all(answers)) assert.ok(answer.body.equals(LARGE.subarray(0, 100)))
    origin.instead = () => false
    assert.deepEqual(origin.asked.splice(0), ['/g 0-99'])
  })

  await t.test('what is not for all, or has no strong validator, is passed on and not kept', async () => {
    for (const [etag, control] of [
      ['"h"', 'private, max-age=60'],
      ['"h"', 'no-store'],
      ['W/"h"', 'max-age=60'],
    ] as const) {
      origin.objects['/h'] = divisible(TEXT, etag, control)
      assert.equal(told(await get('/h', range('0-1'))), '206 bytes 0-1/36: 01')
      assert.equal(told(await get('/h', range('0-1'))), '206 bytes 0-1/36: 01')
      assert.deepEqual(origin.asked.splice(0), ['/h 0-1', '/h 0-1'], control)
    }
  })

  await t.test('several ranges of what is not stored go to the origin as they are', async () => {
    origin.objects['/i'] = divisible(TEXT)
    const answer = await get('/i', range('0-1,4-5'))
    // This one knows no such thing, and sends it whole: which nobody asked for as a whole, so it is not kept.
    assert.equal(told(answer), `200 : ${TEXT}`)
    assert.match(statusOf(answer), /fwd=bypass; detail=range/)
    assert.deepEqual(origin.asked.splice(0), ['/i 0-1,4-5'])
  })

  await t.test(
    'RFC 9110 §13.1.1: If-Match and If-Unmodified-Since are for the origin, and what it says is not kept',
    async () => {
      origin.objects['/j'] = divisible(TEXT)
      for (const headers of [{ 'if-match': '"one"' }, { 'if-match': '"one"', range: 'bytes=0-1' }])
        assert.match(statusOf(await get('/j', headers)), /fwd=bypass; detail=precondition/)
      assert.match(statusOf(await get('/j')), /fwd=uri-miss/)
      assert.deepEqual(origin.asked.splice(0), ['/j -', '/j 0-1', '/j -'])
    },
  )

  await t.test('a write takes the parts of its address along', async () => {
    origin.objects['/k'] = divisible(TEXT)
    await get('/k', range('0-9'))
    await get('/k', {}, 'POST')
    await get('/k', range('0-9'))
    assert.deepEqual(origin.asked.splice(0), ['/k 0-9', '/k -', '/k 0-9'])
  })
})

test('origins that lie about parts', async (t) => {
  const { origin, get } = await stand(t)
  const FIELDS = { 'cache-control': 'max-age=60', etag: '"one"' }
  /** To requests for ranges, from now on. */
  const lie = (status: number, fields: Record<string, string>, body: string) => {
    origin.instead = (request, response) => {
      if (request.headers.range === undefined) return false
      response.writeHead(status, { ...FIELDS, ...fields }).end(body)
      return true
    }
  }
  const honest = () => (origin.instead = () => false)
  /** 502, or an end in the middle where the head had left. */
  const isRefused = async (answer: Promise<Answer>) =>
    assert.equal(
      await answer.then(
        ({ status }) => status,
        ({ code }: NodeJS.ErrnoException) => (code === 'ECONNRESET' ? 502 : code),
      ),
      502,
    )

  await t.test('another range than was asked for is passed on, and not kept', async () => {
    for (const [i, place] of ['bytes 1-3/36', 'bytes 0-2/*', 'bytes 0-1/36', 'bytes 2-0/36', 'x'].entries()) {
      const path = `/other${i}`
      origin.objects[path] = divisible(TEXT)
      lie(206, { 'content-range': place, 'content-length': '3' }, 'xyz')
      assert.equal(told(await get(path, range('0-2'))), `206 ${place}: xyz`)
      honest()
      assert.equal(told(await get(path, range('0-2'))), '206 bytes 0-2/36: 012')
      assert.equal(told(await get(path)), `200 : ${TEXT}`)
    }
  })

  await t.test('a multipart 206 is passed on, and not kept', async () => {
    origin.objects['/multi'] = divisible(TEXT)
    const type = 'multipart/byteranges; boundary=x'
    lie(206, { 'content-type': type }, '--x\r\n\r\n--x--')
    const answer = await get('/multi', range('0-2'))
    assert.equal(answer.headers['content-type'], type)
    honest()
    assert.equal(told(await get('/multi', range('0-2'))), '206 bytes 0-2/36: 012')
  })

  await t.test('one that is shorter, or longer, than it says is refused, and not kept', async () => {
    for (const body of ['01', '0123']) {
      const path = `/length${body}`
      origin.objects[path] = divisible(TEXT)
      lie(206, { 'content-range': 'bytes 0-2/36', 'transfer-encoding': 'chunked' }, body)
      await isRefused(get(path, range('0-2')))
      honest()
      assert.equal(told(await get(path, range('0-2'))), '206 bytes 0-2/36: 012')
    }
  })

  await t.test('what does not fit what is stored is not put beside it', async () => {
    for (const [i, [fields, body]] of (
      [
        [{ 'content-range': 'bytes 0-1/36', etag: '"two"' }, 'xx'],
        [{ 'content-range': 'bytes 0-1/40' }, 'xx'],
        [{ 'content-range': 'bytes 0-1/36', etag: 'W/"one"' }, 'xx'],
        [{ 'content-range': 'bytes 0-2/36' }, 'xxx'],
      ] as const
    ).entries()) {
      const path = `/beside${i}`
      origin.objects[path] = divisible(TEXT)
      await get(path, range('2-9'))
      lie(206, fields, body)
      // Asked for the rest, the origin says that; asked for all of it, it has it.
      assert.equal(told(await get(path)), `200 : ${TEXT}`, path)
      honest()
      assert.equal(told(await get(path, range('0-3'))), '206 bytes 0-3/36: 0123', path)
    }
  })

  await t.test('an error instead of the rest is passed on; what was there stays', async () => {
    origin.objects['/error'] = divisible(TEXT)
    await get('/error', range('2-9'))
    lie(503, { 'cache-control': 'no-store' }, 'not now')
    assert.equal(told(await get('/error')), '503 : not now')
    assert.equal(told(await get('/error', range('2-9'))), '206 bytes 2-9/36: 23456789')
    lie(416, { 'content-range': 'bytes */5' }, '')
    assert.equal(told(await get('/error', range('2-11'))).slice(0, 3), '416')
    honest()
    assert.equal(told(await get('/error')), `200 : ${TEXT}`)
  })
})

test('ranges on a site that compresses are of the bytes as they are', async (t) => {
  const { origin, get } = await stand(t, {}, { compress: {} })
  const body = Buffer.from('compress me, '.repeat(2000))
  origin.objects['/page'] = divisible(body)
  origin.objects['/page']!.fields['content-type'] = 'text/html'
  const gzip = { 'accept-encoding': 'gzip' }
  assert.equal((await get('/page', gzip)).headers['content-encoding'], 'gzip')
  const part = await get('/page', range('0-11', gzip))
  assert.equal(told(part), '206 bytes 0-11/26000: compress me,')
  assert.equal(part.headers['content-encoding'], undefined)
  assert.equal(origin.asked.length, 1)
})
