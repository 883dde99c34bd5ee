/** An origin with large objects that it gives in parts, as HTTP says; and otherwise, where a test says so. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TestContext } from 'node:test'
import { startOrigin, type TestOrigin } from './origin.ts'

export interface DivisibleObject {
  body: Buffer
  etag: string
  fields: Record<string, string>
}

export interface DivisibleOrigin extends TestOrigin {
  /** By path. What is not here is 404. */
  readonly objects: Record<string, DivisibleObject>
  /** `PATH RANGE`, and ` if-range` or ` if-none-match` where such a condition came along. `-`: no range. */
  readonly asked: string[]
  /** Answers in its place, where it says true. */
  instead: (request: IncomingMessage, response: ServerResponse) => boolean
}

export const divisible = (body: Buffer, etag = '"one"', control = 'max-age=600'): DivisibleObject => ({
  body,
  etag,
  fields: { 'cache-control': control },
})

export async function startDivisibleOrigin(
  t: TestContext,
  objects: Record<string, DivisibleObject>,
): Promise<DivisibleOrigin> {
  const asked: string[] = []
  const origin = await startOrigin(t, (request, response) => {
    const { range, 'if-range': ifRange, 'if-none-match': noneMatch } = request.headers
    const conditions = `${ifRange === undefined ? '' : ' if-range'}${noneMatch === undefined ? '' : ' if-none-match'}`
    asked.push(`${request.url} ${range?.slice('bytes='.length) ?? '-'}${conditions}`)
    if (own.instead(request, response)) return
    const object = objects[request.url!]
    if (object === undefined) response.writeHead(404, { 'cache-control': 'no-store' }).end('nothing here')
    else answer(request, response, object)
  })
  const own: DivisibleOrigin = { ...origin, objects, asked, instead: () => false }
  return own
}

function answer(request: IncomingMessage, response: ServerResponse, object: DivisibleObject): void {
  const { body, etag, fields } = object
  const { range, 'if-range': ifRange, 'if-none-match': noneMatch } = request.headers
  const head = { 'content-type': 'application/x-test', 'accept-ranges': 'bytes', etag, ...fields }
  if (noneMatch === etag) {
    response.writeHead(304, head).end()
    return
  }
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(range ?? '') ?? []
  if (first === undefined || (ifRange !== undefined && ifRange !== etag)) {
    response
      .writeHead(200, { ...head, 'content-length': body.length })
      .end(request.method === 'HEAD' ? '' : body)
    return
  }
  const start = first === '' ? Math.max(0, body.length - Number(last)) : Number(first)
  const end = first === '' || last === '' ? body.length : Math.min(body.length, Number(last) + 1)
  if (start >= body.length) {
    response.writeHead(416, { 'content-range': `bytes */${body.length}` }).end()
    return
  }
  const place = { 'content-range': `bytes ${start}-${end - 1}/${body.length}`, 'content-length': end - start }
  response.writeHead(206, { ...head, ...place }).end(body.subarray(start, end))
}
