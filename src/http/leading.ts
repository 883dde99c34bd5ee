/** Fetches what others wait for as well: from a worker of the node that has it or is at it, else from the origin. */
import type { EdgeError } from '../base/errors.ts'
import type { FillJob } from './cache-job.ts'
import { followArrival } from './cache-stage.ts'
import { forwardStatus, siblingStatus, type ForwardReason } from './caching/cache-status.ts'
import type { CacheFill } from './caching/fill.ts'
import type { Exchange } from './exchange.ts'
import { OriginFlow } from './origin-flow.ts'

export function lead(exchange: Exchange, fill: CacheFill, job: FillJob, forward: ForwardReason): void {
  const { siblings } = exchange.node
  if (siblings === undefined || fill.flight === undefined) askOrigin(exchange, job, forward)
  else new Led(exchange, fill, job, forward).start()
}

/** A client that has gone, or never was, is answered nothing. */
function askOrigin(exchange: Exchange, job: FillJob, forward: ForwardReason): void {
  const flow = new OriginFlow(exchange, job)
  if (exchange.gone) return flow.start(true)
  exchange.countCache(forward)
  flow.start()
}

/** The request that leads, while siblings are asked. */
class Led {
  private readonly exchange: Exchange
  private readonly fill: CacheFill
  private readonly job: FillJob
  private readonly forward: ForwardReason
  /** Answered at once, or told of the client meanwhile. */
  private isOver = false
  /** It never had a client. */
  private readonly isBackground: boolean

  constructor(exchange: Exchange, fill: CacheFill, job: FillJob, forward: ForwardReason) {
    this.exchange = exchange
    this.fill = fill
    this.job = job
    this.forward = forward
    this.isBackground = exchange.gone
  }

  start(): void {
    const { exchange, fill } = this
    const { node, site } = exchange
    const seeking = node.siblings!.seek(site!, fill, site!.config.cache!.wait, {
      onBorrowed: (isArriving) => this.onBorrowed(isArriving),
      onNobody: () => this.onNobody(),
      onFailed: (error) => this.onFailed(error),
    })
    if (this.isOver || exchange.gone) return
    exchange.flow = {
      onDrain() {},
      onGone: () => {
        // Others wait: it is sought for them.
        if (fill.followers > 0) return
        this.isOver = true
        seeking.abort()
        fill.abandon()
      },
    }
  }

  private onBorrowed(isArriving: boolean): void {
    const { exchange, fill, forward } = this
    this.isOver = true
    if (exchange.gone) return
    exchange.flow = undefined
    const arrival = fill.arrival!
    const ttlSeconds = Math.floor((arrival.plan.freshUntilMs - exchange.node.now()) / 1000)
    exchange.site!.cache!.count('fromSibling')
    followArrival(
      exchange,
      arrival,
      isArriving ? forwardStatus({ forward, collapsed: true, detail: 'sibling' }) : siblingStatus(ttlSeconds),
      isArriving ? 'collapsed' : 'sibling',
    )
  }

  private onNobody(): void {
    const { exchange, fill, job } = this
    const isFollowed = fill.followers > 0
    this.isOver = true
    exchange.flow = undefined
    // Whose client has gone meanwhile goes on for those who wait, or is one that never had a client.
    if (exchange.gone && !isFollowed && !this.isBackground) fill.abandon()
    else askOrigin(exchange, job, this.forward)
  }

  private onFailed(error: EdgeError): void {
    const { exchange, job } = this
    this.isOver = true
    exchange.flow = undefined
    if (exchange.gone) return
    exchange.countCache(this.forward)
    if (!job.answerStale()) exchange.answerOriginError(error)
  }
}
