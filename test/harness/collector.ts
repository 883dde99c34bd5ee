/** A collector in a test: takes reports by OTLP over HTTP, reads them, and answers as the test likes. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { eventually } from './eventually.ts'
import { readJson, readProtobuf, type ReadMetric, type ReadReport, type ReadSpan } from './otlp.ts'

export interface Received extends ReadReport {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** Without its compression. */
  readonly body: Buffer
  readonly atMs: number
}

export interface TestCollector {
  readonly url: string
  /** Reports that were answered or held, in order. */
  readonly reports: readonly Received[]
  /** Of all reports. */
  spans(): readonly ReadSpan[]
  /** Waits for a span of which this holds. */
  span(holds: (span: ReadSpan) => boolean): Promise<ReadSpan>
  /** Waits for a report of metrics, the first or the next after so many. */
  metrics(after?: number): Promise<readonly ReadMetric[]>
  close(): Promise<void>
}

/** `answer` gets each report; without one, all is taken. */
export async function startCollector(
  t: TestContext,
  answer: (response: ServerResponse, report: Received, index: number) => void = (response) =>
    void response.end(),
  port = 0,
): Promise<TestCollector> {
  const reports: Received[] = []
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const sent = Buffer.concat(pieces)
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent
      const signal = request.url!.includes('metrics') ? 'metrics' : 'traces'
      const isJson = request.headers['content-type'] === 'application/json'
      const read = isJson ? readJson(body.toString()) : readProtobuf(signal, body)
      const report = { ...read, path: request.url!, headers: request.headers, body, atMs: performance.now() }
      reports.push(report)
      answer(response, report, reports.length - 1)
    })
    request.on('error', () => {})
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  t.after(close)
  const spans = () => reports.flatMap((report) => report.spans)
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    reports,
    spans,
    span: (holds) => eventually(() => spans().find(holds), { what: 'no such span came' }),
    metrics: async (after = 0) =>
      (await eventually(() => reports.filter(({ metrics }) => metrics.length > 0)[after])).metrics,
    close,
  }
}
