/**
 * One request and its answer: what the stages know of it, and the way out.
 *
 * Stages (see `stages.ts`) move it forward until one answers. From there the way is always the same: staged headers of
 * units, `headerFilter`, the wire, `log`. Plain fields and callbacks: this object is the hot path.
 */
import { ERROR_CODES } from '../base/error-codes.ts'
import type { EdgeError } from '../base/errors.ts'
import type { FailureReason, UnitVersion } from '../contract/unit.ts'
import { headerValue, type HeaderList, type RequestHead } from '../wire/http1/message.ts'
import { serialiseHeaders, statusText } from '../wire/http1/serialise.ts'
import { parseHeaderLines } from './fields.ts'
import { hasNoBody } from './body-fit.ts'
import { notModifiedHeaders } from './caching/conditional.ts'
import type { StoredBody } from './caching/stored-body.ts'
import type { Client } from './client.ts'
import type { ServerConnection } from './connection.ts'
import type { InProgress } from './connection-host.ts'
import { editHeaders, NO_EDITS, parseEdits, type Edits } from './edits.ts'
import { edgeErrorText, proxyStatusField } from './edge-answers.ts'
import { httpDate } from './http-date.ts'
import type { HttpNode } from './http-node.ts'
import type { Site } from './sites.ts'
import type { UnitPlan } from './unit-plan.ts'
import { UnitFailure } from './unit-failure.ts'
import { filterHeaders, logExchange, type UnitTiming } from './unit-stage.ts'

/** Where an answer came from: the word in metrics. */
export type AnswerSource = 'cache' | 'origin' | 'unit' | 'edge'

/** The head of an answer before units and framing. */
export interface Answer {
  readonly status: number
  readonly reason: string
  /** `name: value\r\n` for each header, without framing and connection headers. */
  readonly fields: string
  readonly source: AnswerSource
}

/** Sends an answer whose head is settled. */
type Deliver = (fields: string, status: number, reason: string) => void

/** What a unit did to this request, for the debug header. */
export interface DebugRun {
  readonly unit: string
  readonly phase: string
  readonly result: string
  readonly cpuUs: number
}

export class Exchange implements InProgress {
  readonly node: HttpNode
  readonly connection: ServerConnection
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
  /** Told when the client can take more, or is gone: whoever streams. */
  flow: InProgress | undefined
  answered: Answer | undefined
  finalFields = ''
  gone = false
  private held: StoredBody | undefined

  constructor(
    node: HttpNode,
    connection: ServerConnection,
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
      this.headers = editHeaders(this.head.headers, request.headers)
    }
    return true
  }

  /** The request as units rewrote it, for the cache. */
  requestAsRewritten(): RequestHead {
    const { head, method, target, headers } = this
    return this.staged.request === undefined ? head : { ...head, method, target, headers }
  }

  /** Keeps a stored body at hand until the answer is out, or the client gone. */
  hold(body: StoredBody): void {
    body.hold()
    this.held?.release()
    this.held = body
  }

  private letGo(): void {
    this.held?.release()
    this.held = undefined
  }

  // ── the way out ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Answers with a body that is at hand. */
  answerWhole(answer: Answer, body: string | Buffer): void {
    this.finishHead(answer, (fields, status, reason) => {
      const isEmpty = hasNoBody(status)
      const length = isEmpty ? '' : `content-length: ${body.length}\r\n`
      const head = `HTTP/1.1 ${status} ${reason}\r\n${fields}${length}`
      this.connection.sendWhole(head, isEmpty || this.head.method === 'HEAD' ? '' : body)
      this.done()
    })
  }

  /** Answers with what the edge itself has to say. `extra` are more `name: value\r\n` lines. */
  answerError(status: number, detail: string, extra = ''): void {
    const text = edgeErrorText(status, detail)
    const fields = `content-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\ndate: ${httpDate(this.node.now())}\r\n${extra}`
    const body = Buffer.from(text, 'utf8')
    this.answerWhole({ status, reason: statusText(status), fields, source: 'edge' }, body.toString('latin1'))
  }

  /** The client has what the origin sent: 304, with the headers that describe it. */
  answerNotModified(headers: HeaderList, cacheStatus: string): void {
    const fields = `${serialiseHeaders(notModifiedHeaders(headers))}cache-status: ${cacheStatus}\r\n`
    this.answerWhole({ status: 304, reason: 'Not Modified', fields, source: 'origin' }, '')
  }

  /** No answer came from the origin: 502 or 504, and what happened. The log has the address. */
  answerOriginError(error: EdgeError): void {
    if (error instanceof UnitFailure) {
      this.failUnit(error.unit, error.reason)
      return
    }
    this.answerError(error.status, ERROR_CODES[error.code].title, proxyStatusField(error.code))
  }

  /** A request that brings the token is told what ran. */
  enableDebug(token: string): void {
    if (headerValue(this.head.headers, 'orla-debug') === token) this.debug = []
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
    this.plan = { ...this.plan, headerFilter: [] }
    this.answerError(503, `the unit ${name} failed (${reason})`, `orla-unit-error: ${name} ${reason}\r\n`)
  }

  /**
   * Puts the head together: the answer's fields, what units staged, what `headerFilter` makes of it. Calls `deliver`
   * once, at once where no unit is asked; never if the client has gone.
   */
  finishHead(answer: Answer, deliver: Deliver): void {
    const fields = this.withEdits(answer.fields, this.staged)
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
    this.finalFields = this.debug === undefined ? fields : fields + this.debugField()
    deliver(this.finalFields, answer.status, answer.reason)
  }

  private withEdits(fields: string, edits: Edits): string {
    if (edits.headers.length === 0) return fields
    if (edits.appended !== undefined) return fields + edits.appended
    return serialiseHeaders(editHeaders(parseHeaderLines(fields), edits.headers))
  }

  private debugField(): string {
    const runs = this.debug!.map((run) => `${run.unit} ${run.phase} ${run.result} ${run.cpuUs}us`)
    return `orla-units: ${runs.join(', ') || 'none'}\r\n`
  }

  /** The answer is on its way in full: counts it, and lets the `log` units run. */
  done(): void {
    const { node } = this
    const durationMs = node.monotonic() - this.startedMs
    node.metrics.countRequest(this.answered!.status, this.answered!.source, durationMs)
    if (this.plan.log.length > 0) logExchange(this)
    if (this.held !== undefined) this.letGo()
  }

  note(unit: UnitVersion, phase: string, result: string, cpuUs: number): void {
    this.debug?.push({ unit: `${unit.name}@${unit.version}`, phase, result, cpuUs })
  }

  // ── told by the connection ──────────────────────────────────────────────────────────────────────────────────

  onDrain(): void {
    this.flow?.onDrain()
  }

  onGone(): void {
    this.gone = true
    this.node.metrics.countAborted()
    this.flow?.onGone()
    this.letGo()
  }
}
