/** Spans on their way to collectors that behave, and to those that do not. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { startCollector, type TestCollector } from '../../test/harness/collector.ts'
import { eventually } from '../../test/harness/eventually.ts'
import type { CollectorSettings, Span } from '../contract/telemetry.ts'
import { DeliveryCounts } from './courier.ts'
import { SpanExporter } from './span-exporter.ts'

const SPAN: Span = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  parentSpanId: '00f067aa0ba902b7',
  isParentRemote: true,
  traceState: 'a=1',
  name: 'GET',
  kind: 'server',
  startUs: 1_795_700_000_123_456,
  endUs: 1_795_700_000_123_999,
  attributes: [
    'http.request.method',
    'GET',
    'http.response.status_code',
    200,
    'orla.origin.connect_ms',
    3,
    'flag',
    false,
    'empty',
    '',
    'text',
    'olá 😀 — a text that is longer than the loop takes',
  ],
  error: '',
  events: [{ name: 'exception', atUs: 1_795_700_000_123_500, attributes: ['exception.type', 'crash'] }],
  links: [{ traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b8' }],
}

interface Stand {
  readonly exporter: SpanExporter
  readonly warnings: string[]
  count(name: string): number
}

function stand(t: TestContext, url: string, more: Partial<CollectorSettings> = {}): Stand {
  const warnings: string[] = []
  const counts = new DeliveryCounts('traces')
  const collector: CollectorSettings = {
    url: `${url}/v1/traces`,
    headers: { 'api-key': 'very-secret' },
    protocol: 'http/protobuf',
    compression: 'gzip',
    // An answer that is late has the batch sent again.
    timeoutMs: 60_000,
    ca: undefined,
    ...more,
  }
  const exporter = new SpanExporter(
    { collector, sample: 1, query: false },
    { 'service.name': 'orla' },
    counts,
    {
      random: () => 0,
      warn: (line) => warnings.push(line),
    },
  )
  t.after(() => exporter.close(0))
  return {
    exporter,
    warnings,
    count: (name) =>
      Number(
        [...counts.samples(), ...exporter.samples()].find(
          (sample) => sample.name.includes(name) || sample.labels['reason'] === name,
        )!.value,
      ),
  }
}

const many = (exporter: SpanExporter, count: number, span = SPAN) => {
  for (let i = 0; i < count; i += 1) exporter.add(span)
}

test('a span arrives whole in both forms', async (t) => {
  for (const protocol of ['http/protobuf', 'http/json'] as const) {
    const collector = await startCollector(t)
    const { exporter, count, warnings } = stand(t, collector.url, {
      protocol,
      compression: protocol === 'http/json' ? 'none' : 'gzip',
    })
    many(exporter, 600)
    await eventually(() => collector.spans().length === 600)
    const { headers, resource, scope, path } = collector.reports[0]!
    assert.equal(path, '/v1/traces')
    assert.equal(headers['api-key'], 'very-secret')
    assert.equal(headers['content-encoding'], protocol === 'http/json' ? undefined : 'gzip')
    assert.deepEqual([resource, scope], [{ 'service.name': 'orla' }, 'orla'])
    assert.deepEqual(collector.spans()[0], {
      traceId: SPAN.traceId,
      spanId: SPAN.spanId,
      parentSpanId: SPAN.parentSpanId,
      traceState: 'a=1',
      name: 'GET',
      kind: 2,
      start: 1_795_700_000_123_456_000n,
      end: 1_795_700_000_123_999_000n,
      flags: 0x301,
      attributes: {
        'http.request.method': 'GET',
        'http.response.status_code': 200n,
        'orla.origin.connect_ms': 3,
        flag: false,
        empty: '',
        text: SPAN.attributes[11],
      },
      status: { code: 2, message: '' },
      events: [
        { name: 'exception', at: 1_795_700_000_123_500_000n, attributes: { 'exception.type': 'crash' } },
      ],
      links: [...SPAN.links],
    })
    await eventually(() => count('sent') === 600)
    assert.deepEqual(warnings, [])
  }
})

test('a collector that is not there costs spans, and no memory; when it comes, what waited arrives', async (t) => {
  const first = await startCollector(t)
  const { port } = new URL(first.url)
  await first.close()
  const { exporter, count, warnings } = stand(t, first.url)
  many(exporter, 50_000)
  assert.equal(count('waiting'), 4096)
  assert.equal(count('full'), 50_000 - 512 - 4096)
  await eventually(() => warnings.length === 1)
  assert.match(
    warnings[0]!,
    /^telemetry: traces do not reach http:\/\/127\.0\.0\.1:\d+\/v1\/traces \(ECONNREFUSED\)/,
  )
  // Somebody else may have the port for a moment.
  const back = await eventually(() => startCollector(t, undefined, Number(port)))
  await eventually(() => count('sent') >= 512 + 4096)
  assert.equal(back.spans().length, 512 + 4096)
  assert.match(warnings[1]!, /reach .* again$/)
  assert.ok(!warnings.join().includes('very-secret'))
})

test('spans of any size are bounded in bytes', async (t) => {
  const silent = createServer((socket) => void socket.on('error', () => {}).resume())
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  t.after(() => silent.close())
  const { exporter, count } = stand(t, `http://127.0.0.1:${(silent.address() as AddressInfo).port}`, {
    timeoutMs: 100,
  })
  const attributes = Array.from({ length: 20_000 }, (_, i) => (i % 2 === 0 ? `name ${i}` : 'x'.repeat(20)))
  many(exporter, 200, { ...SPAN, attributes })
  assert.ok(count('waiting') < 20, `${count('waiting')} wait`)
  assert.ok(count('full') > 150)
})

test('503 with Retry-After is waited for, and the same spans are sent again once', async (t) => {
  let refused = 0
  const collector = await startCollector(t, (response, _report, index) => {
    if (index > 0) return void response.end()
    refused = performance.now()
    response.writeHead(503, { 'retry-after': '2' }).end()
  })
  const { exporter, count, warnings } = stand(t, collector.url)
  many(exporter, 3)
  await eventually(() => count('sent') === 3)
  assert.equal(collector.reports.length, 2)
  assert.ok(collector.reports[1]!.atMs - refused >= 1990, 'it did not wait')
  assert.match(warnings[0]!, /\(status 503\)/)
})

test('a collector that is overloaded and names no time to wait is not asked without a pause', async (t) => {
  for (const after of ['0', 'Thu, 01 Jan 1970 00:00:00 GMT']) {
    let refused = 0
    const collector = await startCollector(t, (response, _report, index) => {
      if (index > 0) return void response.end()
      refused = performance.now()
      response.writeHead(503, { 'retry-after': after }).end()
    })
    const { exporter, count } = stand(t, collector.url)
    many(exporter, 3)
    await eventually(() => count('sent') === 3)
    assert.ok(collector.reports[1]!.atMs - refused >= 990, `it did not wait after ${after}`)
  }
})

test('what a collector refuses is not sent again, and what it does not take is counted, in both forms', async (t) => {
  const partial = {
    'http/json': ['application/json', '{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too\\nold"}}'],
    'http/protobuf': ['application/x-protobuf', Buffer.from('0a0b08021207746f6f0a6f6c64', 'hex')],
  } as const
  for (const protocol of ['http/json', 'http/protobuf'] as const) {
    const [type, body] = partial[protocol]
    const collector = await startCollector(t, (response, _report, index) => {
      if (index === 0) response.writeHead(200, { 'content-type': type }).end(body)
      else response.writeHead(400, { 'content-type': 'application/json' }).end('{"message":"no"}')
    })
    const { exporter, count, warnings } = stand(t, collector.url, { protocol })
    many(exporter, 5)
    await eventually(() => count('sent') === 3)
    assert.equal(count('rejected'), 2)
    assert.match(warnings[0]!, /does not take some traces: too old$/)
    many(exporter, 4)
    await eventually(() => count('refused') === 4)
    assert.match(warnings[1]!, /\(status 400: no\)/)
    assert.equal(collector.reports.length, 2)
  }
})

/** Bytes of an answer that never ends, as far as somebody takes them. */
function flood(collector: { sent: number }) {
  return (response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    const piece = Buffer.alloc(64 * 1024, 'x')
    const more = () => {
      while (!response.destroyed && collector.sent < 100 * 1024 * 1024) {
        collector.sent += piece.length
        if (!response.write(piece)) return void response.once('drain', more)
      }
      response.end()
    }
    more()
  }
}

test('of an answer without end little is read, and it counts by its status', async (t) => {
  const measured = { sent: 0 }
  const collector = await startCollector(t, flood(measured))
  const { exporter, count, warnings } = stand(t, collector.url)
  many(exporter, 3)
  await eventually(() => count('sent') === 3)
  assert.ok(measured.sent < 50 * 1024 * 1024, `${measured.sent} bytes were sent`)
  assert.deepEqual(warnings, [])
})

test('a collector that answers garbage, redirects, breaks off or keeps silent harms nobody', async (t) => {
  const garbage = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', () => socket.end('\u0000\u0001 what?\r\n\r\n'))
  })
  await new Promise<void>((resolve) => garbage.listen(0, '127.0.0.1', resolve))
  t.after(() => garbage.close())
  const cases: [string, (t: TestContext) => Promise<string>, 'refused' | 'unreachable' | 'sent'][] = [
    ['garbage', async () => `http://127.0.0.1:${(garbage.address() as AddressInfo).port}`, 'unreachable'],
    [
      'a redirect',
      async (t) =>
        (await startCollector(t, (response) => void response.writeHead(307, { location: '/' }).end())).url,
      'refused',
    ],
    [
      'half an answer',
      async (t) =>
        (
          await startCollector(t, (response) => {
            response.writeHead(200, { 'content-length': '1000' }).write('half', () => response.destroy())
          })
        ).url,
      'sent',
    ],
    ['silence', async (t) => (await startCollector(t, () => {})).url, 'unreachable'],
  ]
  for (const [name, url, becomes] of cases) {
    await t.test(name, async (t) => {
      // Where an answer comes, a machine that stands still for longer than that would have it asked again.
      const limit = name === 'silence' ? { timeoutMs: 300 } : {}
      const { exporter, count, warnings } = stand(t, await url(t), limit)
      many(exporter, 3)
      if (becomes !== 'unreachable') await eventually(() => count(becomes) === 3)
      else {
        await eventually(() => warnings.length === 1)
        // Tried once more at the end, within the time that a drain has; a batch has a minute else.
        const before = performance.now()
        await exporter.close(2000)
        assert.ok(performance.now() - before < 40_000)
        // What is under way then is given up, which is noted a moment later.
        await eventually(() => count('closed') === 3)
      }
    })
  }
})

test('the end of a worker sends what waits', async (t) => {
  const collector: TestCollector = await startCollector(t)
  const { exporter, count } = stand(t, collector.url)
  many(exporter, 700)
  await exporter.close(120_000)
  assert.equal(collector.spans().length, 700)
  assert.equal(count('sent'), 700)
  many(exporter, 1)
  assert.equal(count('closed'), 1)
})
