/**
 * An answer whose body a unit makes as it goes: status and headers leave at once, and the pieces as they come.
 *
 *     unit → filters, compression → connection
 *
 * A client that does not read keeps the unit from making more; one that leaves ends it. What breaks off is cut and never ended in
 * order (RFC 9112 §8). Without `content-length` the body leaves in chunks; with it, it has to have that length.
 */
import type { FailureReason, UnitVersion } from '../contract/unit.ts'
import type { UnitBodySink } from '../contract/unit-runner.ts'
import { hasNoBody } from './body-fit.ts'
import type { BodyChain } from './body/chain.ts'
import { startChain, transform } from './body/transforms.ts'
import type { InProgress } from './connection-host.ts'
import type { Answer } from './answer.ts'
import type { Exchange } from './exchange.ts'
import type { MeasuredBody } from './measured-body.ts'
import { CLIENT_GONE } from './unit-trip.ts'

const UNWANTED = 'the answer has no body'

export class UnitBodyFlow implements UnitBodySink, InProgress {
  private readonly exchange: Exchange
  private readonly unit: UnitVersion
  private readonly body: MeasuredBody
  private chain: BodyChain | undefined
  private isOver = false

  constructor(exchange: Exchange, unit: UnitVersion, body: MeasuredBody) {
    this.exchange = exchange
    this.unit = unit
    this.body = body
  }

  start(answer: Answer): void {
    const { exchange } = this
    exchange.flow = this
    exchange.finishHead(answer, (fields, status, reason) => this.begin(fields, status, reason))
  }

  private begin(given: string, status: number, reason: string): void {
    const { exchange } = this
    const { bytes } = this.body
    let fields = given
    let changesLength = false
    if (exchange.mayTransform) {
      const outgoing = { status, reason, fields, bytes }
      const transformed = transform(exchange, outgoing)
      // It was answered: a unit cannot take this body.
      if (transformed === undefined) return
      if (transformed.links.length > 0 || transformed.coding !== undefined) {
        const source = { resume: () => this.body.resume(), abort: () => this.giveUp(CLIENT_GONE) }
        const chain = startChain(exchange, outgoing, transformed, source)
        this.chain = chain
        this.body.start(this)
        queueMicrotask(() => chain.flush())
        return
      }
      exchange.finalFields = fields = transformed.fields
      changesLength = transformed.changesLength
    }
    this.sendHead(`HTTP/1.1 ${status} ${reason}\r\n${fields}`, hasNoBody(status), changesLength)
  }

  private sendHead(head: string, isBodiless: boolean, changesLength: boolean): void {
    const { exchange } = this
    const { bytes } = this.body
    const { connection } = exchange
    const hasLength = bytes !== undefined && !isBodiless && !changesLength
    const framing = isBodiless ? 'none' : hasLength ? 'length' : 'unknown'
    connection.startStream(hasLength ? `${head}content-length: ${bytes}\r\n` : head, framing)
    if (isBodiless || exchange.head.method === 'HEAD') {
      this.giveUp(UNWANTED)
      this.finish()
      return
    }
    this.body.start(this)
    queueMicrotask(() => {
      if (!this.isOver) connection.flushHead()
    })
  }

  // ── told by the unit ────────────────────────────────────────────────────────────────────────────────────────

  write(piece: Buffer): boolean {
    if (this.chain !== undefined) return this.chain.write(piece, this.body.left === 0)
    return this.exchange.connection.sendParts([piece])
  }

  end(): void {
    if (this.chain === undefined) this.finish()
    else {
      this.isOver = true
      this.chain.end([])
    }
  }

  fail(reason: FailureReason): void {
    this.isOver = true
    const { exchange, unit, chain } = this
    if (chain !== undefined) {
      chain.failUnit(unit.name, reason)
      return
    }
    exchange.flow = undefined
    exchange.failUnit(unit.name, reason)
  }

  private finish(): void {
    this.isOver = true
    const { exchange } = this
    exchange.flow = undefined
    exchange.connection.endStream([])
    exchange.done()
  }

  // ── told by the client's side ───────────────────────────────────────────────────────────────────────────────

  onDrain(): void {
    this.body.resume()
  }

  onGone(): void {
    this.giveUp(CLIENT_GONE)
  }

  private giveUp(why: string): void {
    this.isOver = true
    this.body.cancel(why)
  }
}
