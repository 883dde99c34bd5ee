/** An edge as others know it: for steering. */

/** What a node is known to be, from its own heartbeat. */
export interface DnsEdgeState {
  readonly name: string
  readonly groups: readonly string[]
  readonly isConnected: boolean
  /** Milliseconds since 1970 of its last word. */
  readonly seenAt: number
  /** From 0 to 1: how busy its processors are. */
  readonly load: number | undefined
  readonly isDraining: boolean
}
