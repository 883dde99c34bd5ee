/**
 * The other end of a connection, and what it may say of those behind it.
 *
 * A peer in `edge.trustedProxies` is a proxy of ours: it names the client. What any other peer says (`X-Forwarded-For`, `Forwarded`,
 * `X-Real-IP`…) is taken out of its requests before anybody reads them, units included. So is, whoever sends it, `X_Forwarded_For`: no
 * proxy does, and servers that write `_` for `-` (CGI, WSGI) would take it for the real one.
 */
import type { CidrSet } from '../../base/cidr.ts'
import { formatIp, parseIp } from '../../base/ip-address.ts'
import type { ClientCertificate } from '../../contract/tls.ts'
import { withoutFields, type HeaderList, type RequestHead } from '../../wire/http1/message.ts'
import { Client } from '../client.ts'
import { firstLine, withoutLines } from '../head-fields.ts'
import { claimedClient, type ForwardedFrom } from './claims.ts'

/** Whom the edge believes. */
export interface ProxyTrust {
  readonly trusted: CidrSet
  readonly from: ForwardedFrom
}

export interface PeerFacts {
  /** As the socket has it. */
  readonly address: string
  readonly port: number
  readonly scheme: 'http' | 'https'
  /** The address it connected to, and the port there. */
  readonly localAddress?: string
  readonly localPort: number
  readonly certificate?: ClientCertificate | undefined
}

export class Peer {
  readonly client: Client
  readonly localAddress: string
  readonly localPort: number
  readonly isTrusted: boolean
  /** What it was made with: where that has changed, the peer is looked at anew. */
  readonly trust: ProxyTrust
  // A client on a kept connection repeats its fields: the parser then hands out the same list.
  private lastHeaders: HeaderList | undefined
  private lastClient: Client
  private lastReceived: HeaderList | undefined
  private lastStripped: { readonly headers: HeaderList; readonly block: string } | undefined

  constructor(facts: PeerFacts, trust: ProxyTrust) {
    // A link-local address has the interface with it, which means nothing elsewhere.
    const ip = parseIp(facts.address.replace(/%.*/, ''))
    const address = ip === undefined ? facts.address : formatIp(ip)
    this.client = new Client({ ...facts, address })
    this.localAddress = facts.localAddress ?? ''
    this.localPort = facts.localPort
    this.trust = trust
    this.isTrusted = ip !== undefined && trust.trusted.has(ip)
    this.lastClient = this.client
  }

  /** Who asks. Call it where the head has forwarding fields; without them it is the peer itself. */
  clientOf(head: RequestHead): Client {
    if (!this.isTrusted) return this.client
    if (head.headers !== this.lastHeaders) {
      this.lastHeaders = head.headers
      this.lastClient = claimedClient(head.headers, this.client, this.trust.trusted, this.trust.from)
    }
    return this.lastClient
  }

  /** The head without what this peer has no right to say. */
  believed(head: RequestHead): RequestHead {
    if (head.headers !== this.lastReceived) {
      const isRefused = this.isTrusted ? isDisguised : isClaim
      this.lastReceived = head.headers
      this.lastStripped = head.headers.some(isRefused)
        ? { headers: withoutFields(head.headers, isRefused), block: withoutLines(head.raw, isRefused) }
        : undefined
    }
    if (this.lastStripped === undefined) return head
    const { headers, block } = this.lastStripped
    return { ...head, headers, raw: firstLine(head.raw) + block }
  }
}

/** `CDN-Loop` stays: whoever lies there only gets himself refused. */
const isClaim = (name: string): boolean => /^(?:forwarded|x[-_]real[-_]ip|x[-_]forwarded[-_].*)$/s.test(name)

const isDisguised = (name: string): boolean => name.startsWith('x') && name.includes('_') && isClaim(name)
