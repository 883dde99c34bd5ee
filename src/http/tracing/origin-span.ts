/**
 * A request to the origin as a span of its own. The origin continues the trace under that span: its id is what goes out in `traceparent`.
 *
 * Stands between the flow of an answer and the origin where a request is sampled; nowhere else. Attempts at several endpoints are one span,
 * which names the last of them and has an event for each that failed before it.
 */
import type { EdgeError } from '../../base/errors.ts'
import type { Origin, OriginHandler, OriginRequest, SentCall } from '../../contract/origin.ts'
import type { AttributeValue, SpanEvent } from '../../contract/telemetry.ts'
import type { HeaderList, ResponseHead } from '../../wire/http1/message.ts'
import type { Exchange } from '../exchange.ts'
import { randomHex } from '../request-id.ts'
import { traceParentText } from '../trace-context.ts'
import type { RequestSpans } from './request-spans.ts'
import { methodAttributes, received, serverAttributes, spanName } from './span-attributes.ts'

export function sendToOrigin(exchange: Exchange, request: OriginRequest, handler: OriginHandler): SentCall {
  const { spans, site } = exchange
  const { origin, config } = site!
  if (spans === undefined) return origin.send(request, handler)
  // By the name of an endpoint its URL; undefined where files answer.
  const urlOf =
    config.origin && ((name: string) => config.origin!.endpoints.find((own) => own.name === name)?.url)
  return new OriginSpan(spans, request, handler, urlOf).send(origin)
}

type UrlOf = (endpoint: string) => string | undefined

class OriginSpan implements OriginHandler {
  private readonly spans: RequestSpans
  private readonly request: OriginRequest
  private readonly handler: OriginHandler
  private readonly urlOf: UrlOf | undefined
  private readonly spanId = randomHex(8)
  private readonly startMs: number
  private call: SentCall | undefined
  private head: ResponseHead | undefined
  private isOver = false
  /** Bounded by `retries.max`. */
  private readonly retries: SpanEvent[] = []

  constructor(spans: RequestSpans, request: OriginRequest, handler: OriginHandler, urlOf: UrlOf | undefined) {
    this.spans = spans
    this.request = request
    this.handler = handler
    this.urlOf = urlOf
    this.startMs = spans.nowMs()
  }

  send(origin: Origin): SentCall {
    const { trace } = this.spans
    const own = traceParentText(trace)
    const told = traceParentText({ ...trace, spanId: this.spanId })
    // What an `origin` unit put there instead stays.
    const headers = this.request.headers.map((text) => (text === own ? told : text))
    // It may fail at once: then its span knows no endpoint.
    const call = origin.send({ ...this.request, headers }, this)
    this.call = call
    return new WatchedCall(call, () => this.end('given-up', undefined))
  }

  onInformational(head: ResponseHead): void {
    this.handler.onInformational?.(head)
  }

  onRetry(endpoint: string, reason: string | number): void {
    const { spans } = this
    const attributes = ['orla.origin.endpoint', endpoint, 'orla.retry.reason', String(reason)]
    this.retries.push({ name: 'retry', atUs: spans.unixUs(spans.nowMs()), attributes })
  }

  onHead(head: ResponseHead): void {
    this.head = head
    this.handler.onHead(head)
  }

  onData(chunk: Buffer): boolean {
    return this.handler.onData(chunk)
  }

  onEnd(trailers: HeaderList): void {
    this.end(undefined, undefined)
    this.handler.onEnd(trailers)
  }

  onError(error: EdgeError): void {
    this.spans.failure = error.code
    this.end(error.code, error)
    this.handler.onError(error)
  }

  onDrain(): void {
    this.handler.onDrain()
  }

  /** `failure`: in one word, why there is no whole answer. */
  private end(failure: string | undefined, error: EdgeError | undefined): void {
    if (this.isOver) return
    this.isOver = true
    const { spans, request, head, retries } = this
    const endMs = spans.nowMs()
    // Both sides may end a tunnel at any time.
    const isTunnel = head?.status === 101 && error === undefined
    // 4xx and 5xx are failures to whoever asked.
    const badStatus = head !== undefined && head.status >= 400 ? String(head.status) : undefined
    const type = isTunnel ? undefined : (failure ?? badStatus)
    const isError = error !== undefined || (failure === undefined && badStatus !== undefined)
    const attributes = this.attributes()
    if (type !== undefined) attributes.push('error.type', type)
    spans.child({
      spanId: this.spanId,
      name: this.urlOf === undefined ? 'files' : spanName(request.method),
      kind: this.urlOf === undefined ? 'internal' : 'client',
      startMs: this.startMs,
      endMs,
      attributes,
      error: isError ? (error === undefined ? '' : error.code) : undefined,
      events: error === undefined ? retries : [...retries, spans.exception(error.code, error.message, endMs)],
    })
  }

  private attributes(): AttributeValue[] {
    const { request, head, call, urlOf, spans, retries } = this
    const attributes = methodAttributes(request.method)
    if (retries.length > 0) attributes.push('http.request.resend_count', retries.length)
    if (head !== undefined) attributes.push('http.response.status_code', head.status)
    const path = spans.withQuery ? request.target : request.target.replace(/\?.*/s, '')
    if (urlOf === undefined) return [...attributes, 'url.path', received(path)]
    const endpoint = call?.endpoint ?? ''
    const url = urlOf(endpoint)
    if (url !== undefined)
      attributes.push(
        ...serverAttributes(url.replace(/^https?:\/\//, ''), url.startsWith('https:') ? 443 : 80),
        'url.full',
        received(url + path),
        'orla.origin.endpoint',
        endpoint,
      )
    if (head !== undefined)
      attributes.push(
        'network.protocol.version',
        `1.${head.minor}`,
        'orla.origin.connect_ms',
        call?.connectMs ?? 0,
        'orla.origin.response_ms',
        call?.responseMs ?? 0,
      )
    return attributes
  }
}

/** A call that tells when it is given up. */
class WatchedCall implements SentCall {
  private readonly call: SentCall
  private readonly onAbort: () => void

  constructor(call: SentCall, onAbort: () => void) {
    this.call = call
    this.onAbort = onAbort
  }

  write(chunk: Buffer): boolean {
    return this.call.write(chunk)
  }

  end(trailers?: HeaderList): void {
    this.call.end(trailers)
  }

  resume(): void {
    this.call.resume()
  }

  abort(): void {
    this.onAbort()
    this.call.abort()
  }

  relay(bytes: Buffer): boolean {
    return this.call.relay(bytes)
  }

  endRelay(): void {
    this.call.endRelay()
  }

  get connectMs(): number {
    return this.call.connectMs
  }

  get responseMs(): number {
    return this.call.responseMs
  }

  get endpoint(): string {
    return this.call.endpoint
  }
}
