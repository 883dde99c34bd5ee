/** How clients are sent to edges by DNS, as the admin API asks about it. */
import type { DnsName } from '../wire/dns/name.ts'

/** Names whose clients are sent to edges (plugin `edge`). */
export interface DnsSteering {
  readonly names: readonly DnsName[]
  /** How the client with that address or prefix (`203.0.113.0/24`) is answered just now, and why; undefined where the text is neither. */
  explain(client: string): DnsSteeringExplanation | undefined
  /** What is known of each node. */
  nodes(): readonly DnsSteeredNode[]
  /** Sets a node up, down or draining by hand until that is taken back (undefined); false where there is no such node. */
  force(node: string, state: 'up' | 'down' | 'drain' | undefined): boolean
}

export interface DnsSteeringExplanation {
  readonly client: string
  readonly place: {
    readonly country?: string
    readonly continent?: string
    readonly asn?: number
    readonly latitude?: number
    readonly longitude?: number
    /** The node that a `prefix` line names for this client. */
    readonly override?: string
  }
  /** What each filter left, in its order, and why it removed the others. */
  readonly steps: readonly {
    readonly filter: string
    readonly kept: readonly string[]
    readonly removed: readonly { readonly node: string; readonly why: string }[]
  }[]
  readonly chosen: readonly string[]
  /** `all down` where the answer is one for want of a healthy node; `nobody` where fences let no node serve this client. */
  readonly outcome: 'chosen' | 'all down, open' | 'all down, closed' | 'nobody'
  /** Bits of the client's address that the choice depends on. */
  readonly scope: number
}

export interface DnsSteeredNode {
  readonly name: string
  readonly state: 'up' | 'down' | 'drain'
  /** What that is known from. */
  readonly why: string
  readonly load: number | undefined
  readonly isOverloaded: boolean
}
