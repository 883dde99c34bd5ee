/** Bodies of answers that go on after their heads: told as they come, at the reader's pace. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { createGzip, gzipSync } from 'node:zlib'
import { eventually } from '../../../test/harness/eventually.ts'
import type { HostAnswer, HostBody, HostBodySink } from '../../contract/host-calls.ts'
import { HELD_MAX } from './answer-body.ts'
import { serve, stand } from './fetch.support.ts'

/** Takes what comes while `room` is not used up; one more piece a `resume`. */
class Reader implements HostBodySink {
  readonly body: HostBody
  text = ''
  pieces = 0
  end = ''
  room: number

  constructor(answer: HostAnswer, isCounted = true, room = Number.POSITIVE_INFINITY) {
    assert.ok(answer.rest, answer.ok ? 'its body came whole' : answer.head)
    assert.equal(answer.body, '')
    this.room = room
    this.body = answer.rest
    this.body.start(this, isCounted)
  }

  take(piece: Uint8Array, isLast: boolean): boolean {
    assert.equal(this.end, '')
    assert.ok(piece.length <= HELD_MAX && (piece.length > 0 || isLast))
    this.text += Buffer.from(piece).toString()
    this.pieces++
    if (isLast) this.end = 'last'
    return --this.room > 0
  }

  fail({ name, code, message }: Parameters<HostBodySink['fail']>[0]): void {
    assert.equal(this.end, '')
    assert.equal(name, 'TypeError')
    this.end = `${code}: ${message}`
  }

  get ended(): Promise<string> {
    return eventually(() => this.end || undefined)
  }
}

/** A server whose answers are in the test's hand, by their paths. */
async function held(t: Parameters<typeof serve>[0], headers: Record<string, string> = {}) {
  const responses = new Map<string, ServerResponse>()
  const url = await serve(t, (request, response) => {
    response.writeHead(200, headers).flushHeaders()
    responses.set(request.url!, response)
  })
  return { url, responses }
}

test('the head is told before the body, and its pieces as they come', async (t) => {
  const { url, responses } = await held(t)
  const { get } = stand(t)
  const answer = await get(`${url}/a`)
  assert.match(answer.head, /^200 0 OK\n/)
  const response = responses.get('/a')!
  const reader = new Reader(answer)
  response.write('one')
  await eventually(() => reader.text === 'one')
  response.write('two')
  await eventually(() => reader.text === 'onetwo')
  response.end()
  assert.equal(await reader.ended, 'last')
})

test('who does not read stops the server, whether what it sends is packed or not', async (t) => {
  let sent = 0
  const url = await serve(t, (request, response) => {
    const isPacked = request.url === '/packed'
    if (isPacked) response.setHeader('content-encoding', 'gzip')
    const out = isPacked ? createGzip({ level: 0 }) : response
    if (out !== response) out.pipe(response)
    const write = () => {
      while (!response.destroyed && out.write(Buffer.alloc(65_536, 'x'))) sent += 65_536
    }
    out.on('drain', write)
    write()
  })
  const { get, account } = stand(t, { bytesMax: 100_000_000 })
  for (const path of ['/plain', '/packed']) {
    sent = 0
    const reader = new Reader(await get(url + path), true, 1)
    let before = -1
    await eventually(() => {
      const isStill = sent === before
      before = sent
      return isStill && reader.pieces === 1
    })
    assert.ok(sent < 16 * 1024 * 1024, `${sent} bytes were taken for nobody`)
    const counted = account.fetchedBytes
    reader.room = 3
    reader.body.resume()
    await eventually(() => reader.pieces === 4)
    assert.ok(account.fetchedBytes > counted)
    reader.body.cancel()
  }
})

test('a body that is cancelled, or whose fetch is given up, ends its connection', async (t) => {
  const { url, responses } = await held(t)
  const { get } = stand(t)
  const reader = new Reader(await get(`${url}/read`))
  const unread = await get(`${url}/unread`)
  reader.body.cancel()
  unread.rest!.cancel()
  for (const path of ['/read', '/unread']) await eventually(() => responses.get(path)!.destroyed)
  assert.equal(reader.end, '')
})

test('what breaks off is told after what came before', async (t) => {
  const { url, responses } = await held(t)
  const { get } = stand(t)
  const answer = await get(`${url}/cut`)
  const response = responses.get('/cut')!
  await new Promise((resolve) => response.write('part', resolve))
  response.socket!.destroy()
  const reader = new Reader(answer)
  assert.match(await reader.ended, /^origin-closed: fetch GET http:.*\/cut: /)
  assert.equal(reader.text, 'part')
})

test('bytes that a unit reads count, and those that are passed on do not', async (t) => {
  const { url, responses } = await held(t)
  const { get, account } = stand(t, { bytesMax: 1000 })
  const passed = new Reader(await get(`${url}/passed`), false)
  responses.get('/passed')!.end('x'.repeat(100_000))
  assert.equal(await passed.ended, 'last')
  assert.equal(passed.text.length, 100_000)
  assert.equal(account.fetchedBytes, 0)
  const read = new Reader(await get(`${url}/read`))
  responses.get('/read')!.write('x'.repeat(900))
  await eventually(() => read.text.length === 900)
  responses.get('/read')!.write('x'.repeat(101))
  assert.match(await read.ended, /^fetch-budget: .* may fetch 1000 bytes in all \(edge\.fetch\.bytesMax\)/)
  await eventually(() => responses.get('/read')!.destroyed)
  assert.equal(account.fetchedBytes, 900)
})

test('it is decoded as it comes, and a small one that grows is read by and by', async (t) => {
  const { url, responses } = await held(t, { 'content-encoding': 'gzip' })
  const { get } = stand(t, { bytesMax: 100_000 })
  const answer = await get(`${url}/`)
  assert.doesNotMatch(answer.head, /content-encoding/)
  const reader = new Reader(answer)
  const gzip = createGzip()
  gzip.pipe(responses.get('/')!)
  gzip.write('one')
  gzip.flush()
  await eventually(() => reader.text === 'one')
  gzip.end('two')
  assert.equal(await reader.ended, 'last')
  assert.equal(reader.text, 'onetwo')

  const lie = new Reader(await get(`${url}/lie`))
  responses.get('/lie')!.write('not gzip at all')
  assert.match(await lie.ended, /^origin-garbage: .* its body is not gzip, as it says/)
  const short = new Reader(await get(`${url}/short`))
  responses.get('/short')!.end(gzipSync('hello').subarray(0, -4))
  assert.match(await short.ended, /^origin-garbage: /)
  const empty = new Reader(await get(`${url}/empty`))
  responses.get('/empty')!.end()
  assert.equal(await empty.ended, 'last')

  const bomb = await serve(t, (_, response) => {
    response.setHeader('content-encoding', 'gzip')
    response.end(gzipSync(Buffer.alloc(20_000_000)))
  })
  const grown = new Reader(await get(bomb))
  assert.match(await grown.ended, /^fetch-budget: /)
  assert.ok(grown.text.length <= 100_000)
})

test('a fetch is under way until its body has come', async (t) => {
  const { url, responses } = await held(t)
  const { get } = stand(t, { requestsMax: 10_000 })
  const open = await Promise.all(Array.from({ length: 1024 }, (_, n) => get(`${url}/${n}`)))
  const more = async () => JSON.parse((await get(`${url}/more`)).head) as { message: string }
  assert.match((await more()).message, /more than 1024 fetches of this unit are under way/)
  const [first, second] = open
  responses.get('/0')!.end('whole')
  const reader = new Reader(first!)
  assert.equal(await reader.ended, 'last')
  const again = await get(`${url}/again`)
  assert.equal(again.ok, true)
  again.rest!.cancel()
  second!.rest!.cancel()
  assert.equal((await get(`${url}/last`)).ok, true)
  for (const { rest } of open) rest!.cancel()
})
