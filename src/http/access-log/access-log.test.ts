/** What a line says, and that nothing a client sends can make it say something else. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import * as v from 'valibot'
import { ConfigSchema } from '../../config/schema.ts'
import { HeadMemo, parseRequestHead } from '../../wire/http1/request-parser.ts'
import { NO_UNITS } from '../unit-plan.ts'
import { AccessLogs } from './access-log.ts'
import { combinedText, jsonText } from './escape.ts'
import type { LoggedRequest } from './logged-request.ts'

function requestOf(head: string, extra: Partial<LoggedRequest> = {}): LoggedRequest {
  const bytes = Buffer.from(head, 'latin1')
  const limits = { headBytes: 32_768, targetBytes: 8192, headerCount: 100 }
  const parsed = parseRequestHead(bytes, 0, bytes.length, limits, new HeadMemo(), 0)
  assert.equal(parsed.kind, 'head')
  return {
    client: { address: '192.0.2.7', port: 4711, scheme: 'http' },
    connection: { socket: {} as Socket },
    head: parsed.kind === 'head' ? parsed.head : undefined,
    answered: { status: 200, source: 'origin' },
    gone: false,
    bytesSent: 1200,
    headBytes: 200,
    bytesReceived: bytes.length,
    plan: NO_UNITS,
    site: { name: 'example.org' },
    upstream: '127.0.0.1:9000',
    timing: { upstreamConnectMs: 0, upstreamResponseMs: 12.3456 },
    cacheResult: 'uri-miss',
    finalFields: 'content-type: text/plain\r\nx-a: 1\r\nx-a: 2\r\n',
    ...extra,
  }
}

/** The lines that these requests make. */
async function linesOf(
  t: TestContext,
  options: object,
  requests: readonly LoggedRequest[],
  { durationMs = 1.5, random = (): number => 0 } = {},
): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'orla-access-log-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'access.log')
  const config = v.parse(ConfigSchema, { edge: { accessLog: { path, ...options } } })
  const logs = new AccessLogs({
    node: 'gru1',
    worker: 1,
    stdout: 1,
    random,
    warn: (line) => assert.fail(line),
  })
  const log = logs.open(config.edge.accessLog)!
  for (const request of requests) log.write(request, Date.UTC(2026, 10, 26, 10, 54, 40, 7), durationMs)
  // Who ends does not wait for a disk for ever, and a machine may stand still for as long.
  const dropped = () => logs.samples().find(({ name }) => name === 'orla_access_log_dropped_total')?.value
  await logs.close()
  if (dropped() !== 0) return linesOf(t, options, requests, { durationMs, random })
  const text = readFileSync(path, 'latin1')
  assert.ok(text === '' || text.endsWith('\n'))
  return text.split('\n').slice(0, -1)
}

test('a line in JSON tells the request, its answer and what it took', async (t) => {
  const head =
    'GET /a?b=c HTTP/1.1\r\nHost: Example.org:8080\r\nReferer: https://example.org/\r\nUser-Agent: curl/8\r\n\r\n'
  const [line] = await linesOf(t, {}, [requestOf(head, { id: 'a-1' })])
  assert.deepEqual(JSON.parse(line!), {
    time: '2026-11-26T10:54:40.007Z',
    client: '192.0.2.7',
    method: 'GET',
    scheme: 'http',
    host: 'example.org:8080',
    target: '/a?b=c',
    protocol: 'HTTP/1.1',
    status: 200,
    source: 'origin',
    bytesSent: 1200,
    bytesReceived: head.length,
    durationMs: 1.5,
    upstream: '127.0.0.1:9000',
    upstreamConnectMs: 0,
    upstreamResponseMs: 12.346,
    cache: 'uri-miss',
    site: 'example.org',
    requestId: 'a-1',
    referer: 'https://example.org/',
    userAgent: 'curl/8',
  })
})

test('fields are told in the order that was asked for, headers among them', async (t) => {
  const fields = ['upstream', 'worker', 'request:X-Two', 'response:X-A', 'response:content-type', 'path']
  const head = 'GET /p?q HTTP/1.1\r\nHost: a\r\nX-Two: 1\r\nX-Two: 2\r\n\r\n'
  const request = requestOf(head, { upstream: '' })
  const [line] = await linesOf(t, { fields }, [request])
  assert.equal(
    line,
    '{"upstream":null,"worker":1,"request:x-two":"1, 2","response:x-a":"1, 2","response:content-type":"text/plain","path":"/p"}',
  )
})

test('the id of a request and of its trace are those of a trusted proxy, or its own', async (t) => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const head = `GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: given\r\nTraceparent: 00-${traceId}-00f067aa0ba902b7-01\r\n\r\n`
  const by = (isTrusted: boolean) =>
    requestOf(head, { connection: { socket: {} as Socket, peer: { isTrusted } } })
  const lines = await linesOf(t, { fields: ['requestId', 'traceId'] }, [by(true), by(false), by(false)])
  assert.equal(lines[0], `{"requestId":"given","traceId":"${traceId}"}`)
  for (const line of lines.slice(1)) assert.match(line, /^\{"requestId":"[0-9a-f]{32}"\}$/)
  assert.notEqual(lines[1], lines[2])
})

test('the combined format is what nginx writes', async (t) => {
  const encoded = Buffer.from('ana maria:secret').toString('base64')
  const head = `GET /a?b HTTP/1.0\r\nHost: a\r\nAuthorization: Basic ${encoded}\r\nUser-Agent: a "quoted" \\ agent\r\n\r\n`
  const [line] = await linesOf(t, { format: 'combined' }, [requestOf(head)])
  assert.match(
    line!,
    /^192\.0\.2\.7 - ana\\x20maria \[2[67]\/Nov\/2026:\d\d:54:40 [+-]\d{4}\] "GET \/a\?b HTTP\/1\.0" 200 1000 "-" "a \\x22quoted\\x22 \\x5C agent"$/,
  )
})

test('what could not be read as a request has a line too', async (t) => {
  const refused = requestOf('GET / HTTP/1.1\r\nHost: a\r\n\r\n', {
    head: undefined,
    answered: { status: 400, source: 'edge' },
    site: undefined,
  })
  const [json] = await linesOf(t, {}, [refused])
  assert.equal(JSON.parse(json!).status, 400)
  assert.equal(JSON.parse(json!).method, undefined)
  const [combined] = await linesOf(t, { format: 'combined' }, [refused])
  assert.match(combined!, /"-" 400 1000 "-" "-"$/)
})

test('no byte of a client breaks a line, its quotes or the terminal it is read on', async (t) => {
  const every = Array.from({ length: 256 }, (_, byte) => byte).filter(
    (byte) => byte !== 0 && byte !== 10 && byte !== 13,
  )
  for (const byte of every) {
    const text = String.fromCharCode(byte)
    for (const line of [jsonText(`a${text}b`), combinedText(`a${text}b`)])
      assert.match(line, /^[\x20-\x7e]*$/)
    assert.equal(JSON.parse(jsonText(`a${text}b`)), `a${text}b`)
    assert.doesNotMatch(combinedText(`a${text}b`), /"/)
  }
  assert.equal(JSON.parse(jsonText(Buffer.from('café ✓ 🎉').toString('latin1'))), 'café ✓ 🎉')
  assert.equal(jsonText('\n{"forged":true}\u001b[2J'), '"\\n{\\"forged\\":true}\\u001b[2J"')
  assert.equal(combinedText('\r\n"'), '\\x0D\\x0A\\x22')

  const head = 'GET /\xe9?\\" HTTP/1.1\r\nHost: a\r\nUser-Agent: \x80\xff"\\\t\r\n\r\n'.replace('/\xe9', '/x')
  const request = requestOf(head.replace('\\"', '%22'))
  for (const format of ['json', 'combined']) {
    const lines = await linesOf(t, { format }, [request, request])
    assert.equal(lines.length, 2)
    assert.match(lines[0]!, /^[\x20-\x7e]+$/)
  }
})

test('a sample leaves requests out, but none that failed', async (t) => {
  const ok = requestOf('GET /ok HTTP/1.1\r\nHost: a\r\n\r\n')
  const failed = requestOf('GET /failed HTTP/1.1\r\nHost: a\r\n\r\n', {
    answered: { status: 502, source: 'edge' },
  })
  const missing = requestOf('GET /missing HTTP/1.1\r\nHost: a\r\n\r\n', {
    answered: { status: 404, source: 'edge' },
  })
  const options = { sample: 0.25, fields: ['status'] }
  const out = { random: () => 0.25 }
  const all = [ok, failed, missing]
  assert.deepEqual(await linesOf(t, options, all, out), ['{"status":502}'])
  assert.equal((await linesOf(t, options, all, { random: () => 0.24 })).length, 3)
  const always = { ...options, sample: 0, always: [404] }
  assert.deepEqual(await linesOf(t, always, all, out), ['{"status":404}'])
})

test('`only` writes the statuses and the slow ones that were asked for', async (t) => {
  const all = [200, 301, 404, 499, 503].map((status) =>
    requestOf('GET / HTTP/1.1\r\nHost: a\r\n\r\n', { answered: { status, source: 'edge' } }),
  )
  const statuses = async (only: object, durationMs: number) =>
    (await linesOf(t, { fields: ['status'], only }, all, { durationMs })).map(
      (line) => JSON.parse(line).status,
    )
  assert.deepEqual(await statuses({ status: ['4xx', '500-503'] }, 1), [404, 499, 503])
  assert.deepEqual(await statuses({ slowerThan: '1s' }, 999), [])
  assert.deepEqual(await statuses({ slowerThan: '1s', status: ['301'] }, 1000), [301])
})
