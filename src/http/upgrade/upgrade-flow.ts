/**
 * A request for another protocol on its way to the origin. Where the origin switches, a tunnel begins; where it does not, its answer
 * is passed on like any other.
 */
import { EdgeError } from '../../base/errors.ts'
import type { OriginHandler, SentCall } from '../../contract/origin.ts'
import { headerValues, type HeaderList, type ResponseHead } from '../../wire/http1/message.ts'
import { endToEndHeaders, serialiseHeaders } from '../../wire/http1/serialise.ts'
import { isSwitchTo } from '../../wire/http1/upgrade.ts'
import { withLength } from '../body-fit.ts'
import type { Exchange } from '../exchange.ts'
import { viaMember } from '../forwarding/hop.ts'
import { OriginFlow } from '../origin-flow.ts'
import { Tunnel } from './tunnel.ts'

/** No place for another one. */
export function answerFull(exchange: Exchange): void {
  const { upgrades } = exchange.node.upgrades.limits
  exchange.answerError(503, `all ${upgrades} upgraded connections are in use`, 'retry-after: 5\r\n')
}

export class UpgradeFlow implements OriginHandler {
  private readonly exchange: Exchange
  private readonly protocols: string
  /** Passes on the answer of an origin that does not switch. */
  private readonly flow: OriginFlow
  private call: SentCall | undefined
  private tunnel: Tunnel | undefined
  /** What the origin sent after its 101, while units look at that; and whether it has ended. */
  private held: Buffer[] | undefined
  /** How the origin has ended, where it has. */
  private ended: 'in-order' | 'broken' | undefined

  constructor(exchange: Exchange, protocols: string) {
    this.exchange = exchange
    this.protocols = protocols
    this.flow = new OriginFlow(exchange, undefined, { protocols, handler: this })
  }

  start(): void {
    this.flow.start()
  }

  onSent(call: SentCall): void {
    this.call = call
  }

  onHead(head: ResponseHead): void {
    if (head.status !== 101) {
      this.flow.onHead(head)
      return
    }
    const protocol = headerValues(head.headers, 'upgrade') ?? ''
    if (!isSwitchTo(this.protocols, head)) {
      const what = `the origin switched to "${protocol}" where "${this.protocols}" was asked for`
      this.flow.abortWith(new EdgeError('origin-garbage', what))
      return
    }
    this.held = []
    const headers = endToEndHeaders(head.headers, head.nominated)
    headers.push('via', viaMember(head.minor))
    const answer = {
      status: 101,
      reason: head.reason,
      fields: serialiseHeaders(headers),
      source: 'origin',
    } as const
    this.exchange.finishHead(answer, (fields, status, reason) => {
      if (status === 101) this.switchProtocols(fields, protocol)
      else this.refuse(fields, status, reason)
    })
  }

  /** A `headerFilter` unit gave the answer another status: there will be no tunnel. */
  private refuse(fields: string, status: number, reason: string): void {
    const { exchange } = this
    this.flow.release()
    this.call!.abort()
    exchange.connection.sendWhole(`HTTP/1.1 ${status} ${reason}\r\n${withLength(fields, status, 0)}`, '')
    exchange.done()
  }

  private switchProtocols(fields: string, protocol: string): void {
    const { exchange } = this
    const { connection, node } = exchange
    const call = this.call!
    this.flow.release()
    if (!node.upgrades.admits()) {
      call.abort()
      answerFull(exchange)
      return
    }
    const tunnel = new Tunnel(connection, call, node.upgrades, (isBroken) => {
      // Of a client that is gone the exchange tells by itself.
      if (exchange.gone) return
      exchange.gone = isBroken
      exchange.tell()
    })
    this.tunnel = tunnel
    exchange.flow = tunnel
    exchange.count()
    connection.switchProtocols!(
      `HTTP/1.1 101 Switching Protocols\r\n${fields}connection: upgrade\r\nupgrade: ${protocol}\r\n\r\n`,
      tunnel,
    )
    let isFlowing = true
    for (const bytes of this.held!) isFlowing = tunnel.onOriginBytes(bytes)
    this.held = undefined
    if (this.ended !== undefined) tunnel.onOriginEnd(this.ended === 'broken')
    else if (isFlowing) call.resume()
  }

  onData(chunk: Buffer): boolean {
    if (this.tunnel !== undefined) return this.tunnel.onOriginBytes(chunk)
    if (this.held === undefined) return this.flow.onData(chunk)
    this.held.push(Buffer.from(chunk))
    return false
  }

  onEnd(trailers: HeaderList): void {
    if (!this.endTunnel('in-order')) this.flow.onEnd(trailers)
  }

  onError(error: EdgeError): void {
    if (!this.endTunnel('broken')) this.flow.onError(error)
  }

  /** False: there is none, and none is about to be. */
  private endTunnel(how: 'in-order' | 'broken'): boolean {
    this.ended = how
    this.tunnel?.onOriginEnd(how === 'broken')
    return this.tunnel !== undefined || this.held !== undefined
  }

  onDrain(): void {
    if (this.tunnel !== undefined) this.tunnel.onOriginDrain()
    else this.flow.onDrain()
  }

  onInformational(head: ResponseHead): void {
    this.flow.onInformational(head)
  }
}
