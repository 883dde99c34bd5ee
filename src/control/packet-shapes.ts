/** What the admin API tells of the packet plane. */
import * as v from 'valibot'

const tally = { packets: v.number(), bytes: v.number() }

const InterfaceShape = v.variant('state', [
  v.strictObject({
    name: v.string(),
    state: v.literal('attached'),
    /** `native`: in the driver. `generic`: in the network stack. `offload`: on the card. */
    mode: v.picklist(['native', 'generic', 'offload']),
    /** Why it is in this mode, where that was not asked for by name. */
    note: v.optional(v.string()),
  }),
  v.strictObject({
    name: v.string(),
    /** Packets pass as if there were no packet plane; it is tried again now and then. */
    state: v.literal('absent'),
    reason: v.string(),
  }),
])

/** Sums over the interfaces, since the program of this node was loaded. */
export const PacketShape = v.strictObject({
  /** None: the configuration has no `packet`. */
  interfaces: v.array(InterfaceShape),
  /** Banned prefixes and holes in them that the kernel knows. */
  prefixes: v.number(),
  totals: v.array(
    v.strictObject({
      protocol: v.picklist(['udp', 'tcp', 'icmp', 'other', 'not-ip', 'unreadable']),
      /** `banned`, `unreadable`: dropped for that. */
      verdict: v.picklist(['passed', 'banned', 'unreadable']),
      ...tally,
    }),
  ),
  /** Later fragments, which hold no port; they are in `totals` as well. */
  fragments: v.strictObject(tally),
  /** The busiest destination ports, as many as were asked for. */
  ports: v.array(v.strictObject({ protocol: v.picklist(['udp', 'tcp']), port: v.number(), ...tally })),
})
export type PacketSummary = v.InferOutput<typeof PacketShape>
