/** Traces and metrics by OpenTelemetry's protocol, as a collector has them. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:http2'
import { join } from 'node:path'
import { test } from 'node:test'
import { startCollector, type TestCollector } from '../harness/collector.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'
import type { ReadSpan } from '../harness/otlp.ts'
import { startOrigin } from '../harness/origin.ts'
import { closing, nextMessage, openWebSocket, startWebSocketOrigin } from '../harness/websocket.ts'

const SERVER = 2
const CLIENT = 3
const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'
const TRACEPARENT = `00-${TRACE}-${PARENT}-01`

const isOf = (path: string) => (span: ReadSpan) =>
  span.kind === SERVER && span.attributes['url.path'] === path

/** All below a span, once so many have come. */
const childrenOf = (collector: TestCollector, { traceId, spanId }: ReadSpan, count: number) =>
  eventually(() => {
    const found = collector.spans().filter((span) => span.traceId === traceId && span.parentSpanId === spanId)
    return found.length >= count && found
  })

/** What has written or fetched is lost with a step that is cut off: a unit has all that it may have. */
const LIMITS = 'limits: { cpuMs: 1000, wallMs: 60000 }'
/** For a report: what is sent again because its answer was late has come twice. */
const PATIENT = { timeout: '10m' } as const

const UNITS = {
  counter: `export default { paths: ['/unit'], ${LIMITS}, async access(request, _response, edge) {
    await edge.kv.put('visits', '1')
    request.headers.set('x-visits', await edge.kv.get('visits'))
  } }`,
  broken: `export default { paths: ['/broken'], ${LIMITS}, onError: 'closed', access() { throw new Error('it is broken') } }`,
}

test('a sampled request of a trusted proxy is a part of its trace, with what was done for it', async (t) => {
  const seen: Record<string, string | undefined>[] = []
  const origin = await startOrigin(t, (request, response) => {
    const { traceparent, tracestate } = request.headers as Record<string, string>
    seen.push({ url: request.url, traceparent, tracestate })
    response.statusCode = request.url!.startsWith('/missing') ? 404 : 200
    if (request.url === '/cut') return void response.destroy()
    response.setHeader('cache-control', 'max-age=3600')
    response.end('hello')
  })
  const collector = await startCollector(t)
  const node = await startNode(t, {
    config: {
      edge: { trustedProxies: ['127.0.0.1'] },
      telemetry: {
        otlp: {
          ...PATIENT,
          endpoint: collector.url,
          headers: { 'api-key': 'very-secret' },
          traces: { sample: 0 },
          metrics: false,
          resource: { 'deployment.environment.name': 'test' },
        },
      },
      sites: [{ name: 'tv', origin: origin.url, cache: {} }],
    },
    units: UNITS,
    env: { OTEL_SERVICE_NAME: 'edge' },
  })
  const headers = { traceparent: TRACEPARENT, tracestate: 'a=1', 'user-agent': 'olá', 'x-request-id': '17' }

  assert.equal((await node.request('/a?token=1', { headers })).status, 200)
  const own = await collector.span(isOf('/a'))
  const { host } = new URL(node.url)
  assert.deepEqual([own.traceId, own.parentSpanId, own.traceState, own.name], [TRACE, PARENT, 'a=1', 'GET'])
  const { 'network.peer.port': peerPort, ...attributes } = own.attributes
  assert.ok(Number(peerPort) > 0)
  assert.deepEqual(attributes, {
    'http.request.method': 'GET',
    'url.scheme': 'http',
    'url.path': '/a',
    'server.address': '127.0.0.1',
    'server.port': BigInt(host.split(':')[1]!),
    'client.address': '127.0.0.1',
    'network.peer.address': '127.0.0.1',
    'network.protocol.version': '1.1',
    'orla.request.id': '17',
    'user_agent.original': 'olá',
    'http.response.status_code': 200n,
    'orla.source': 'origin',
    'orla.site': 'tv',
    'orla.cache': 'uri-miss',
  })
  assert.deepEqual(own.status, { code: 0, message: '' })
  const [asked] = await childrenOf(collector, own, 1)
  assert.equal(asked!.kind, CLIENT)
  assert.equal(asked!.attributes['url.full'], `${origin.url}/a`)
  assert.deepEqual(seen[0], {
    url: '/a?token=1',
    traceparent: `00-${TRACE}-${asked!.spanId}-01`,
    tracestate: 'a=1',
  })
  assert.ok(own.start <= asked!.start && asked!.start <= asked!.end && asked!.end <= own.end)
  const [report] = collector.reports
  assert.equal(report!.headers['api-key'], 'very-secret')
  assert.equal(report!.resource['service.name'], 'edge')
  assert.equal(report!.resource['service.instance.id'], 'test')
  assert.equal(report!.resource['deployment.environment.name'], 'test')

  // A hit, a unit with its calls, one that fails, an origin that breaks off, one that knows nothing.
  for (const path of ['/a?token=1', '/unit', '/broken', '/cut', '/missing'])
    await node.request(path, { headers })
  const hit = await collector.span(({ attributes }) => attributes['orla.cache'] === 'hit')
  assert.equal(hit.attributes['orla.source'], 'cache')
  const withUnit = await collector.span(isOf('/unit'))
  const unit = (await childrenOf(collector, withUnit, 2)).find(({ name }) => name === 'unit counter')!
  assert.equal(unit.attributes['orla.unit.phase'], 'access')
  assert.equal(unit.attributes['orla.unit.result'], 'next')
  const calls = await childrenOf(collector, unit, 2)
  assert.deepEqual(calls.map(({ name, attributes }) => [name, attributes['orla.call.target']]).toSorted(), [
    ['kv.get', 'visits'],
    ['kv.put', 'visits'],
  ])
  const failed = await collector.span(isOf('/broken'))
  assert.deepEqual([failed.status.code, failed.attributes['error.type']], [2, 'unit-throw'])
  const [broken] = await childrenOf(collector, failed, 1)
  assert.equal(broken!.events[0]!.name, 'exception')
  assert.match(String(broken!.events[0]!.attributes['exception.message']), /it is broken/)
  const cut = await collector.span(isOf('/cut'))
  assert.equal(cut.attributes['http.response.status_code'], 502n)
  assert.equal((await childrenOf(collector, cut, 1))[0]!.status.code, 2)
  // 404 is a failure to the edge that asked, and none to the edge that answers (semantic conventions for HTTP).
  const missing = await collector.span(isOf('/missing'))
  assert.equal(missing.status.code, 0)
  assert.equal((await childrenOf(collector, missing, 1))[0]!.attributes['error.type'], '404')

  // Not sampled by the proxy; malformed, so it begins here, where nothing is sampled; no trace at all.
  const before = collector.spans().length
  for (const traceparent of [
    `00-${TRACE}-${PARENT}-00`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    '00-1',
    'x'.repeat(5000),
  ])
    assert.equal((await node.request('/none', { headers: { traceparent } })).status, 200)
  await node.request('/none')
  await node.request('/last', { headers })
  await collector.span(isOf('/last'))
  assert.equal(collector.spans().slice(before).some(isOf('/none')), false)
  assert.match(
    seen.find(({ url }) => url === '/none')!['traceparent']!,
    new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`),
  )
  const { text } = await node.api('GET', '/metrics')
  assert.match(text, /^orla_telemetry_sent_total\{signal="traces"\} [1-9]/m)
  for (const shown of [text, node.stderr()]) assert.ok(!shown.includes('very-secret'))
})

test('what was tried again is told by the span of the origin', async (t) => {
  let asked = 0
  const origin = await startOrigin(t, (_, response) => {
    asked += 1
    response.statusCode = asked === 1 ? 503 : 200
    response.end('hello')
  })
  const collector = await startCollector(t)
  const one = { url: origin.url, name: 'one' }
  const node = await startNode(t, {
    config: {
      telemetry: { otlp: { ...PATIENT, endpoint: collector.url, metrics: false } },
      sites: [{ origin: { endpoints: [one], passive: false, retries: { on: [503] } } }],
    },
  })
  assert.equal((await node.request('/again')).status, 200)
  const [again] = await childrenOf(collector, await collector.span(isOf('/again')), 1)
  assert.equal(again!.attributes['http.request.resend_count'], 1n)
  assert.equal(again!.status.code, 0)
  const [retry, ...more] = again!.events
  assert.deepEqual(more, [])
  assert.equal(retry!.name, 'retry')
  assert.deepEqual(retry!.attributes, { 'orla.origin.endpoint': 'one', 'orla.retry.reason': '503' })
  assert.ok(again!.start <= retry!.at && retry!.at <= again!.end)
})

test('what a unit fetched is told by the conventions', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    response.statusCode = request.url!.startsWith('/missing') ? 404 : 200
    response.end('hello')
  })
  const collector = await startCollector(t)
  const node = await startNode(t, {
    config: {
      edge: { fetch: { allowPrivate: true } },
      telemetry: { otlp: { ...PATIENT, endpoint: collector.url, metrics: false } },
      sites: [{ origin: origin.url }],
    },
    units: {
      fetcher: `export default { paths: ['/fetch'], ${LIMITS}, async access() { await fetch('${origin.url}/missing?key=1') } }`,
    },
  })
  assert.equal((await node.request('/fetch')).status, 200)
  const below = await childrenOf(collector, await collector.span(isOf('/fetch')), 2)
  const unit = below.find(({ name }) => name === 'unit fetcher')!
  const [fetched] = await childrenOf(collector, unit, 1)
  assert.deepEqual([fetched!.name, fetched!.kind, fetched!.status.code], ['GET', CLIENT, 2])
  assert.deepEqual(fetched!.attributes, {
    'orla.call.kind': 'fetch',
    'orla.call.target': `GET ${origin.url}/missing`,
    'orla.call.result': '404',
    'http.request.method': 'GET',
    'server.address': '127.0.0.1',
    'server.port': BigInt(new URL(origin.url).port),
    'url.full': `${origin.url}/missing`,
    'http.response.status_code': 404n,
    'error.type': '404',
  })
})

test('the environment alone is enough; strangers decide nothing; HTTP/2 and WebSockets are requests', async (t) => {
  const origin = await startWebSocketOrigin(t)
  const collector = await startCollector(t)
  const node = await startNode(t, {
    config: {
      edge: { listen: [{ address: '127.0.0.1:0', h2c: true }] },
      sites: [{ origin: origin.url }],
    },
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_HEADERS: 'api-key=very%20secret,other=1',
      OTEL_RESOURCE_ATTRIBUTES: 'service.name=lost,zone=gru',
      OTEL_SERVICE_NAME: 'edge',
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_EXPORTER_OTLP_TIMEOUT: '600000',
    },
  })
  // Not sampled, it says; but whose word is that?
  const traceparent = `00-${TRACE}-${PARENT}-00`
  await node.request('/a', { headers: { traceparent, 'user-agent': 'x'.repeat(20_000) } })
  const own = await collector.span(isOf('/a'))
  assert.notEqual(own.traceId, TRACE)
  assert.equal(own.parentSpanId, '')
  assert.deepEqual(own.links, [{ traceId: TRACE, spanId: PARENT }])
  assert.equal(String(own.attributes['user_agent.original']).length, 1024)
  const [{ headers, resource, path }] = collector.reports as [TestCollector['reports'][number]]
  assert.deepEqual([path, headers['api-key'], headers['other']], ['/v1/traces', 'very secret', '1'])
  assert.deepEqual([resource['service.name'], resource['zone']], ['edge', 'gru'])

  const session = connect(node.url)
  t.after(() => session.destroy())
  await new Promise<void>((resolve, reject) => {
    session.request({ ':path': '/h2' }).on('error', reject).on('end', resolve).resume()
  })
  assert.equal((await collector.span(isOf('/h2'))).attributes['network.protocol.version'], '2')

  const socket = await openWebSocket(t, `${node.url}/ws`)
  socket.send('hello')
  assert.equal(await nextMessage(socket), 'hello')
  assert.equal(collector.spans().some(isOf('/ws')), false)
  socket.close()
  await closing(socket)
  const upgraded = await collector.span(isOf('/ws'))
  assert.equal(upgraded.attributes['http.response.status_code'], 101n)
  assert.equal(upgraded.status.code, 0)
  const { traceparent: told } = origin.requests[0]!.headers
  assert.match(String(told), new RegExp(`^00-${upgraded.traceId}-[0-9a-f]{16}-01$`))
})

test('metrics are those of the page, cumulative, and a reload changes where they go', async (t) => {
  const origin = await startOrigin(t)
  const collector = await startCollector(t)
  const other = await startCollector(t)
  const config = (endpoint: string) => ({
    edge: { listen: '127.0.0.1:0' },
    // As the harness starts it: what differs in the file is where metrics go, and nothing that asks for a restart.
    control: { listen: '127.0.0.1:0', token: 'test', warmChecker: false },
    node: { name: 'test' },
    sites: [{ origin: origin.url }],
    telemetry: {
      otlp: {
        ...PATIENT,
        endpoint,
        headers: { 'api-key': 'very-secret' },
        metrics: { every: '500ms' },
        traces: false as const,
      },
    },
  })
  const began = BigInt(Date.now()) * 1_000_000n
  const node = await startNode(t, { config: config(collector.url) })
  await node.request('/a')
  const requests = await eventually(async () =>
    collector.reports
      .flatMap(({ metrics }) => metrics)
      .find(
        ({ name, points }) => name === 'orla_http_requests_total' && points.some(({ value }) => value === 1),
      ),
  )
  assert.deepEqual(
    [requests.kind, requests.temporality, requests.isMonotonic, requests.unit],
    ['sum', 2, true, ''],
  )
  const [point] = requests.points
  assert.deepEqual(point!.attributes, { source: 'origin', status: '2xx' })
  assert.ok(began < point!.start && point!.start < point!.at)
  // A series that has just begun is in the one before the other.
  const metrics = await eventually(async () => {
    const reported = await collector.metrics(collector.reports.length)
    const shown = new Set((await node.api('GET', '/metrics')).text.match(/(?<=^# TYPE )\w+/gm))
    assert.deepEqual(new Set(reported.map(({ name }) => name)), shown)
    return reported
  })
  const duration = metrics.find(({ name }) => name === 'orla_http_request_duration_seconds')!
  assert.deepEqual([duration.kind, duration.temporality, duration.unit], ['histogram', 2, 's'])
  const [took] = duration.points
  assert.equal(took!.buckets.length, took!.bounds.length + 1)
  assert.equal(
    took!.buckets.reduce((sum, count) => sum + count, 0n),
    took!.count,
  )
  assert.equal(metrics.find(({ name }) => name === 'orla_ready')!.kind, 'gauge')

  // The file is watched: it is read anew by itself.
  await writeFile(join(node.folder, 'orla.config.json'), JSON.stringify(config(other.url)))
  await other.metrics()
  assert.equal(other.reports[0]!.headers['api-key'], 'very-secret')
  await eventually(() => /was reloaded .*telemetry/.test(node.stderr()))
  assert.ok(!node.stderr().includes('very-secret'))
})
