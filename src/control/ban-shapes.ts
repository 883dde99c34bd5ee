/** What the admin API takes and gives about bans. */
import * as v from 'valibot'
import { BAN_MAX_MS, BAN_MIN_MS, BAN_PREFIXES_MAX, BAN_REASON_MAX } from '../contract/bans.ts'
import { ChangeShape, WaitBody } from './shapes.ts'

const { wait, timeoutMs, edges } = WaitBody.entries

const Prefix = v.pipe(v.string('expected a string'), v.maxLength(100, 'expected at most 100 characters'))

const Prefixes = v.pipe(
  v.array(Prefix, 'expected a list of addresses and prefixes'),
  v.minLength(1, 'expected a list of addresses and prefixes that is not empty'),
  v.maxLength(BAN_PREFIXES_MAX, `expected ${BAN_PREFIXES_MAX} at most; send several requests`),
)

const FOR_EXPECTED = `expected milliseconds, a whole number from ${BAN_MIN_MS} to ${BAN_MAX_MS} (366 days)`

const ForMs = v.pipe(
  v.number(FOR_EXPECTED),
  v.integer(FOR_EXPECTED),
  v.minValue(BAN_MIN_MS, FOR_EXPECTED),
  v.maxValue(BAN_MAX_MS, FOR_EXPECTED),
)

const REASON_EXPECTED = `expected a text of at most ${BAN_REASON_MAX} characters, without control characters`

const Reason = v.pipe(
  v.string(REASON_EXPECTED),
  v.maxLength(BAN_REASON_MAX, REASON_EXPECTED),
  v.check((text) => !/\p{Cc}/u.test(text), REASON_EXPECTED),
)

export const BanBody = v.strictObject({
  /** Addresses and prefixes, such as `192.0.2.7` or `2001:db8::/32`. A prefix has no bits behind its length. */
  prefixes: Prefixes,
  /** How long, in milliseconds. A ban that is there already is replaced. */
  forMs: v.optional(ForMs, 600_000),
  reason: v.optional(Reason, ''),
  /** Prefixes that are a large part of all addresses (shorter than /8, or /16 for IPv6) are meant. */
  force: v.optional(v.boolean('expected true or false'), false),
  wait,
  timeoutMs,
  edges,
})

export const UnbanBody = v.pipe(
  v.strictObject({
    /** As they were banned. */
    prefixes: v.optional(Prefixes),
    /** All of them. */
    all: v.optional(v.literal(true, 'expected true, or nothing')),
    wait,
    timeoutMs,
    edges,
  }),
  v.check(
    ({ prefixes, all }) => (prefixes === undefined) !== (all === undefined),
    'expected `prefixes`, or `all`',
  ),
)

const BanEntries = {
  prefix: v.string(),
  /** When it ends, in milliseconds since 1970. */
  until: v.number(),
  reason: v.string(),
  /** Who asked: `token NAME`, `unit NAME` or `limit NAME`. */
  by: v.string(),
  /** The node at which it was asked for. */
  node: v.string(),
  /** When, in milliseconds since 1970. */
  at: v.number(),
  /** `waiting`: it stands on this node, and its control plane has not taken it yet. `void`: it is never banned on this node. */
  state: v.picklist(['standing', 'waiting', 'void']),
} as const

export const BanListShape = v.strictObject({
  /** The newest first. */
  bans: v.array(v.strictObject(BanEntries)),
  /** How many there are, those that are left out included. */
  total: v.number(),
  /** What is never banned on this node. */
  never: v.array(v.string()),
})

const Settled = {
  /** Workers that let nobody of these in. */
  live: ChangeShape.entries.live,
  edges: ChangeShape.entries.edges,
  ms: v.number(),
} as const

export const BanChangedShape = v.strictObject({
  /** With what within them is never banned on this node. */
  bans: v.array(v.strictObject({ ...BanEntries, holes: v.array(v.string()) })),
  ...Settled,
})

export const UnbannedShape = v.strictObject({ lifted: v.array(v.string()), ...Settled })

/** Of an edge: bans that units, limits or people asked for there. */
export const EdgeBansBody = v.strictObject({
  bans: v.pipe(
    v.array(
      v.strictObject({
        prefix: Prefix,
        forMs: v.number(),
        reason: v.pipe(v.string(), v.maxLength(BAN_REASON_MAX)),
        by: v.pipe(v.string(), v.maxLength(200)),
        node: v.pipe(v.string(), v.maxLength(255)),
      }),
    ),
    v.maxLength(BAN_PREFIXES_MAX),
  ),
})

export const EdgeBansShape = v.strictObject({
  outcomes: v.array(
    v.union([
      v.strictObject({ prefix: v.string(), until: v.number() }),
      v.strictObject({ code: v.string(), message: v.string() }),
    ]),
  ),
})

export type BanList = v.InferOutput<typeof BanListShape>
export type BanChanged = v.InferOutput<typeof BanChangedShape>
export type Unbanned = v.InferOutput<typeof UnbannedShape>
