/**
 * The slice behind the one that goes out: it is asked for meanwhile, or its client would wait for an answer of the origin between any two.
 * It is gathered until it is wanted; what is not as it should be is asked for once more then.
 */
import type { RequestHead } from '../../wire/http1/message.ts'
import type { Exchange } from '../exchange.ts'
import { PartFetch, type PartAsker } from './part-fetch.ts'
import type { PartAsk } from './part-sources.ts'
import type { Representation } from './representation.ts'

export class SliceAhead {
  private readonly exchange: Exchange
  private readonly objectKey: string
  private readonly head: RequestHead
  private fetch: PartFetch | undefined

  /** `head`: what slices are fetched by. */
  constructor(exchange: Exchange, objectKey: string, head: RequestHead) {
    this.exchange = exchange
    this.objectKey = objectKey
    this.head = head
  }

  /** Unless there is one already, or others fetch it. */
  ask(ask: PartAsk, known: Representation): void {
    const { exchange, head, objectKey } = this
    if (this.fetch?.ask.key === ask.key) return
    this.leave()
    const nowMs = exchange.node.now()
    const seat = exchange.site!.cache!.join(ask.key, head, ask.found, nowMs, Infinity, () => {})
    if (seat.kind !== 'fill') {
      seat.cancel()
      return
    }
    const asker: PartAsker = {
      onPart: (fetch, { validator, size }) => {
        if (validator === known.validator && size === known.size) fetch.waitBehind()
        else this.drop()
      },
      onRefreshed: () => this.drop(),
      onMismatch: () => this.drop(),
      onOther: () => this.drop(),
      onFetchError: () => this.drop(),
    }
    this.fetch = new PartFetch(exchange, objectKey, ask, seat, asker)
    this.fetch.start()
  }

  /** It is wanted now: `asker` is told of it from here on. Undefined: it is not the one that is here. */
  take(ask: PartAsk, asker: PartAsker): PartFetch | undefined {
    const { fetch } = this
    if (fetch?.ask.key !== ask.key) {
      this.leave()
      return undefined
    }
    this.fetch = undefined
    fetch.handTo(asker)
    return fetch
  }

  /** Nobody here wants it. Others may wait for it. */
  leave(): void {
    this.fetch?.leave()
    this.fetch = undefined
  }

  private drop(): void {
    this.fetch?.drop()
    this.fetch = undefined
  }
}
