/**
 * One request and its answer: what the stages know of it, and the way out.
 *
 * Stages (see `stages.ts`) move it forward until one answers. From there the way is always the same: staged headers of
 * units, `headerFilter`, the wire, `log`. Plain fields and callbacks: this object is the hot path.
 */
import { ERROR_CODES } from '../base/error-codes.ts'
import type { CacheUse } from '../contract/cache-outcome.ts'
import type { CallTrace } from '../contract/host-calls.ts'
import type { EdgeError } from '../base/errors.ts'
import type { FailureReason, UnitVersion } from '../contract/unit.ts'
import type { Answer } from './answer.ts'
import { ON_THE_SPOT_MAX } from './body/compression.ts'
import { startChain, transform, type Outgoing } from './body/transforms.ts'
import { WholeSource, type BodyAtHand } from './body/whole-source.ts'
import { callsField } from './calls-field.ts'
import { headerValue, type HeaderList, type RequestHead } from '../wire/http1/message.ts'
import { endToEndHeaders, serialiseHeaders, statusText } from '../wire/http1/serialise.ts'
import { parseHeaderLines } from './fields.ts'
import { hasNoBody } from './body-fit.ts'
import { failedStatusLine } from './cache-status-line.ts'
import type { ForwardReason } from './caching/cache-status.ts'
import { StoredBody } from './caching/stored-body.ts'
import type { Client } from './client.ts'
import type { AccessLog } from './access-log/access-log.ts'
import type { LoggedRequest } from './access-log/logged-request.ts'
import type { ClientConnection } from './client-connection.ts'
import type { Answering, InProgress } from './connection-host.ts'
import { unitsField, unitsTrailers, type DebugRun } from './debug-runs.ts'
import { editHeaders, NO_EDITS, parseEdits, type Edits } from './edits.ts'
import { edgeErrorText, proxyStatusField } from './edge-answers.ts'
import { withoutRange } from './head-fields.ts'
import { httpDate } from './http-date.ts'
import type { HttpNode } from './http-node.ts'
import type { ShadowedRequest } from './shadow/shadowed-request.ts'
import type { Site } from './sites.ts'
import type { RequestSpans } from './tracing/request-spans.ts'
import type { UnitPlan } from './unit-plan.ts'
import type { UnitStates } from './unit-states.ts'
import { whenSent } from './when-sent.ts'
import { UnitFailure } from './unit-failure.ts'
import { filterHeaders, logExchange, type UnitTiming } from './unit-stage.ts'

/** Sends an answer whose head is settled. */
type Deliver = (fields: string, status: number, reason: string) => void

const NO_CALLS: readonly CallTrace[] = []

export class Exchange implements Answering, LoggedRequest {
  readonly node: HttpNode
  connection: ClientConnection
  readonly head: RequestHead
  /** Who asks: the peer, or whom it names where it is trusted. */
  readonly client: Client
  readonly startedMs: number
  /** The units that run; none any more once one of them failed closed. */
  plan: UnitPlan
  readonly lastGood: Readonly<Record<string, UnitVersion>>
  /** The stage it stands before; see `stages.ts`. */
  stage = 0
  site: Site | undefined

  // As units rewrote it; the cache and the origin use these.
  method: string
  target: string
  headers: HeaderList

  /** Edits so far, as text: what a later trip begins with. */
  edits = ''
  /** The staged edits of the response. */
  staged: Edits = NO_EDITS
  timing: UnitTiming | undefined
  debug: DebugRun[] | undefined
  isDebugShown = false
  /** What units asked of the node, for the debug header. */
  calls: readonly CallTrace[] = NO_CALLS
  /** Told of all that ran, once it is over. */
  onTrace: ((exchange: Exchange) => void) | undefined
  /** Told when the client can take more, or is gone: whoever streams. */
  flow: InProgress | undefined
  answered: Answer | undefined
  finalFields = ''
  /** The length that the head names is not that of the body at hand. */
  private isLengthOpen = false
  gone = false
  id: string | undefined
  trace: LoggedRequest['trace']
  spans: RequestSpans | undefined
  /** Where versions run beside the live ones. */
  shadow: ShadowedRequest | undefined
  private ends: (() => void)[] | undefined
  /** `edge.state` of units. */
  states: UnitStates | undefined
  /** The headers as received, less those that this node answers in its own way. */
  private received: HeaderList
  /** The head as units are told it. */
  rawForUnits: string

  /** What limits said: lines for the head of the answer; of one that refused its name and how; all of it for the debug header. */
  limitFields = ''
  limit = ''
  limitNotes = ''

  // What is told of it afterwards: see `access-log/logged-request.ts`.
  bytesSent = 0
  headBytes = 0
  bytesReceived = 0
  /** The endpoint that was asked last. */
  upstream = ''
  /** What the cache said, in the word of its metric. */
  cacheResult = ''
  /** What the answer is kept under, and why the cache sent the request on; nothing where no cache was asked. */
  cacheKey = ''
  cacheForward: ForwardReason | undefined
  /** What is stored is stale, and may in no circumstances be used without asking (RFC 9111 §5.2.2.2). */
  mustRevalidate = false
  /** Seconds, where the answer is the cache's, else -1; and what came of it: see `cache-outcome.ts`. */
  cacheAge = -1
  cacheUse: CacheUse | undefined

  constructor(
    node: HttpNode,
    connection: ClientConnection,
    head: RequestHead,
    client: Client,
    plan: UnitPlan,
  ) {
    this.node = node
    this.connection = connection
    this.head = head
    this.client = client
    this.plan = plan
    this.lastGood = node.lastGood
    this.startedMs = node.monotonic()
    this.method = head.method
    this.target = head.target
    this.headers = head.headers
    this.received = head.headers
    this.rawForUnits = head.raw
    if (plan.bodyFilter.length > 0) this.hideRange()
  }

  /** Positions in a body that a unit filters are not those of the origin's: the whole is asked for (RFC 9110 §14.2). */
  private hideRange(): void {
    if (headerValue(this.head.headers, 'range') === undefined) return
    const { headers, raw } = withoutRange(this.head)
    this.headers = this.received = headers
    this.rawForUnits = raw
  }

  /** Takes over what units changed on a trip. False where the edits are not valid: the unit is to blame. */
  applyEdits(text: string): boolean {
    if (text === '') return true
    const all = this.edits + text
    const edits = parseEdits(all)
    if (edits === undefined) return false
    this.edits = all
    this.staged = edits
    const request = edits.request
    if (request !== undefined) {
      if (request.method !== undefined) this.method = request.method
      const path = request.path ?? this.head.path
      const query = request.query ?? this.head.query
      this.target = query === '' ? path : `${path}?${query}`
      this.headers = editHeaders(this.received, request.headers)
    }
    return true
  }

  /** The request as units rewrote it, for the cache: without fields that end here, which no answer may be chosen by. */
  requestAsRewritten(): RequestHead {
    const { head, method, target, headers } = this
    const { nominated } = head
    if (nominated.length > 0) return { ...head, method, target, headers: endToEndHeaders(headers, nominated) }
    const isAsReceived = this.staged.request === undefined && this.received === head.headers
    return isAsReceived ? head : { ...head, method, target, headers }
  }

  /** Keeps a stored body at hand until the answer is out, or the client gone. */
  hold(body: StoredBody): void {
    body.hold()
    this.whenOver(() => body.release())
  }

  // ── the way out ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Answers with a body that is at hand. */
  answerWhole(answer: Answer, body: string | Buffer): void {
    this.finishHead(answer, (given, status, reason) => {
      let fields = given
      if (this.mayTransform) {
        const left = this.sendTransformed(
          { status, reason, fields, bytes: body.length },
          new StoredBody(typeof body === 'string' ? Buffer.from(body, 'latin1') : body),
        )
        if (left === undefined) return
        fields = left
      }
      const isEmpty = hasNoBody(status)
      const length = isEmpty || this.isLengthOpen ? '' : `content-length: ${body.length}\r\n`
      const head = `HTTP/1.1 ${status} ${reason}\r\n${fields}${length}`
      this.connection.sendWhole(head, isEmpty || this.head.method === 'HEAD' ? '' : body)
      this.done()
    })
  }

  /** Answers with what the edge itself has to say. `extra` are more `name: value\r\n` lines. */
  answerError(status: number, detail: string, extra = ''): void {
    const fields = `content-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\ndate: ${httpDate(this.node.now())}\r\n${extra}`
    const body = Buffer.from(edgeErrorText(status, detail), 'utf8')
    this.answerWhole({ status, reason: statusText(status), fields, source: 'edge' }, body.toString('latin1'))
  }

  /** No answer came from the origin: 502 or 504, and what happened. The log has the address. */
  answerOriginError(error: EdgeError): void {
    if (error instanceof UnitFailure) {
      this.failUnit(error.unit, error.reason)
      return
    }
    const extra = proxyStatusField(error.code) + failedStatusLine(this, error.code)
    const status = this.mustRevalidate ? 504 : error.status
    this.answerError(status, ERROR_CODES[error.code].title, extra)
  }

  /** A request that brings the token is told what ran. */
  enableDebug(token: string): void {
    if (headerValue(this.head.headers, 'orla-debug') !== token) return
    this.debug = []
    this.isDebugShown = true
  }

  /** A unit failed and its policy is `closed`: 503 that names it and the reason, or an end where an answer has begun. */
  failUnit(name: string, reason: FailureReason): void {
    this.flow?.onGone()
    this.flow = undefined
    if (this.gone) return
    if (this.connection.hasSentHead) {
      this.connection.cut()
      return
    }
    this.withoutTransforms().answerError(
      503,
      `the unit ${name} failed (${reason})`,
      `orla-unit-error: ${name} ${reason}\r\n`,
    )
  }

  /**
   * Puts the head together: the answer's fields, what units staged, what `headerFilter` makes of it. Calls `deliver`
   * once, at once where no unit is asked; never if the client has gone.
   */
  finishHead(answer: Answer, deliver: Deliver): void {
    const fields = this.withEdits(answer.fields, this.staged) + this.limitFields
    if (this.plan.headerFilter.length === 0) {
      this.finish(fields, answer, deliver)
      return
    }
    filterHeaders(this, answer.status, fields, (edits) => {
      const status = edits.status ?? answer.status
      const isOther = status !== answer.status
      const filtered = isOther ? { ...answer, status, reason: statusText(status) } : answer
      this.finish(this.withEdits(fields, edits), filtered, deliver)
    })
  }

  private finish(fields: string, answer: Answer, deliver: Deliver): void {
    if (this.gone) return
    this.answered = answer
    this.finalFields = this.isDebugShown ? fields + this.debugField() : fields
    deliver(this.finalFields, answer.status, answer.reason)
  }

  private withEdits(fields: string, edits: Edits): string {
    if (edits.headers.length === 0) return fields
    if (edits.appended !== undefined) return fields + edits.appended
    return serialiseHeaders(editHeaders(parseHeaderLines(fields), edits.headers))
  }

  private debugField(): string {
    const limits = this.limitNotes === '' ? '' : `orla-limits: ${this.limitNotes}\r\n`
    return unitsField(this.debug!, this.plan) + callsField(this.calls) + limits
  }

  debugTrailers(): HeaderList {
    return this.isDebugShown ? unitsTrailers(this.debug!) : []
  }

  // ── what bodies pass ────────────────────────────────────────────────────────────────────────────────────────

  /** Something may stand between a body and the connection: a comparison or two for those who have nothing there. */
  get mayTransform(): boolean {
    return this.plan.bodyFilter.length > 0 || this.site?.compress !== undefined
  }

  /** What follows is the edge's own, and goes as it is. */
  withoutTransforms(): this {
    this.plan = { ...this.plan, headerFilter: [], bodyFilter: [] }
    if (this.site !== undefined) this.site = { ...this.site, compress: undefined }
    return this
  }

  /**
   * Sends a body at hand through what it has to pass. Returns the head's fields where nothing is to be passed, and the body is
   * the caller's to send; undefined where it is on its way.
   */
  sendTransformed(outgoing: Outgoing, body: BodyAtHand): string | undefined {
    const transformed = transform(this, outgoing)
    if (transformed === undefined) return undefined
    const { links, coding } = transformed
    if (links.length === 0 && coding !== undefined && body.length <= ON_THE_SPOT_MAX) {
      const { status, reason } = outgoing
      const encoded = this.site!.compress!.encodeNow(coding, body.read(0, body.length))
      this.finalFields = transformed.fields
      const head = `HTTP/1.1 ${status} ${reason}\r\n${transformed.fields}content-length: ${encoded.length}\r\n`
      this.connection.sendWhole(head, encoded)
      this.done()
      return undefined
    }
    if (links.length === 0 && coding === undefined) {
      this.finalFields = transformed.fields
      this.isLengthOpen = transformed.changesLength
      return transformed.fields
    }
    const source = new WholeSource(body, () => this.connection.cut())
    source.start(startChain(this, outgoing, transformed, source))
    return undefined
  }

  /** The answer is on its way in full. */
  done(): void {
    this.count()
    this.tell()
  }

  count(): void {
    const durationMs = this.node.monotonic() - this.startedMs
    const { metrics } = this.node
    const { status, source } = this.answered!
    metrics.countRequest(status, source, durationMs)
    if (this.plan.watched.length === 0) return
    for (const unit of this.plan.watched) metrics.countVersion(unit, status)
  }

  /** It is over, answered or not: notes it, and lets the `log` units run. */
  tell(): void {
    const { node } = this
    this.accessLog?.write(this, node.now(), node.monotonic() - this.startedMs)
    this.site?.cacheStatistics?.sent(this.answered?.source, this.bytesSent)
    this.spans?.end()
    this.shadow?.end()
    if (this.plan.log.length > 0) logExchange(this)
    else this.onTrace?.(this)
    if (this.ends !== undefined) whenSent(this.connection, this.ends.splice(0))
  }

  /** `then` is called once its answer is out, or the client gone. */
  whenOver(then: () => void): void {
    this.ends ??= []
    this.ends.push(then)
  }

  /** Where it is noted: as its site says, or the node. */
  get accessLog(): AccessLog | undefined {
    return this.site === undefined ? this.node.accessLog : this.site.accessLog
  }

  /** Somebody wants the headers of the answer once it is out. */
  get keepsFields(): boolean {
    return this.plan.log.length > 0 || this.accessLog?.readsFields === true
  }

  countCache(result: string): void {
    this.cacheResult = result
    this.cacheUse = undefined
    this.site!.cacheStatistics!.count(result)
  }

  note(unit: UnitVersion, phase: string, result: string, cpuUs: number): void {
    const { debug } = this
    if (debug === undefined) return
    const of = `${unit.name}@${unit.version}`
    const last = debug.at(-1)
    // The pieces of a body: one line for all of them.
    if (last?.unit === of && last.phase === phase && last.result === result) last.cpuUs += cpuUs
    else debug.push({ unit: of, phase, result, cpuUs })
  }

  // ── told by the connection ──────────────────────────────────────────────────────────────────────────────────

  onDrain(): void {
    this.flow?.onDrain()
  }

  onGone(): void {
    this.gone = true
    this.node.metrics.countAborted()
    this.flow?.onGone()
    this.tell()
  }
}
