/** What a `cache` line and its block say. */
import type { CorefileLine, CorefileWord, DnsController } from '../../../contract/dns.ts'
import { counted, spanOf } from '../line-words.ts'
import { DnsName } from '../../../wire/dns/name.ts'

/** Of answers of one kind: how many, and how long they hold in seconds. */
export interface KindOptions {
  readonly capacity: number
  readonly ttlMax: number
  readonly ttlMin: number
}

export interface CacheOptions {
  readonly zones: readonly DnsName[]
  readonly success: KindOptions
  readonly denial: KindOptions
  /** Zero: nothing is fetched before it is out of date. */
  readonly prefetchHits: number
  readonly prefetchPauseMs: number
  readonly prefetchPercent: number
  /** Zero: nothing that is out of date is served. */
  readonly staleMs: number
  readonly isStaleVerified: boolean
  readonly servfailMs: number
  /** Zones whose answers of that kind are not kept. */
  readonly notSuccess: readonly DnsName[]
  readonly notDenial: readonly DnsName[]
  readonly keepsTtl: boolean
}

const CAPACITY = 9984
const TTL_MAX = 3600
const NEGATIVE_TTL_MAX = 1800
const TTL_MIN = 5
const STALE_MS = 3_600_000
const SERVFAIL_MS = 5000
const SERVFAIL_MS_MAX = 300_000
const PAUSE_MS = 60_000
/** Numbers that are meant: more would not be one of these in memory either. */
const NUMBER_MAX = 2 ** 31 - 1

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export function readOptions(controller: DnsController): CacheOptions {
  const [line, second] = controller.lines
  if (second) controller.fail(second, 'this plugin can only be used once per Server Block')
  const { args, block = [] } = line!
  const ttl =
    args[0] && /^[+-]?\d+$/.test(args[0].text) ? positive(controller, args[0], 'cache TTL') : undefined
  const options: Mutable<CacheOptions> = {
    zones: controller.zonesOf(ttl === undefined ? args : args.slice(1)),
    success: { capacity: CAPACITY, ttlMax: ttl ?? TTL_MAX, ttlMin: TTL_MIN },
    denial: { capacity: CAPACITY, ttlMax: ttl ?? NEGATIVE_TTL_MAX, ttlMin: TTL_MIN },
    prefetchHits: 0,
    prefetchPauseMs: PAUSE_MS,
    prefetchPercent: 10,
    staleMs: 0,
    isStaleVerified: false,
    servfailMs: SERVFAIL_MS,
    notSuccess: [],
    notDenial: [],
    keepsTtl: false,
  }
  for (const property of block) {
    const read = PROPERTIES[property.name.text]
    if (!read)
      controller.fail(
        property,
        `unknown property '${property.name.text}': expected one of ${Object.keys(PROPERTIES).join(', ')}`,
      )
    else read(controller, property, options)
  }
  return options
}

type ReadProperty = (controller: DnsController, line: CorefileLine, options: Mutable<CacheOptions>) => void

const PROPERTIES: Readonly<Record<string, ReadProperty>> = {
  success: (controller, line, options) => {
    options.success = kind(controller, line, options.success)
  },
  denial: (controller, line, options) => {
    options.denial = kind(controller, line, options.denial)
  },
  prefetch: (controller, line, options) => {
    const [amount, pause, percent] = counted(controller, line, 1, 3)
    options.prefetchHits = whole(controller, amount!, 'prefetch amount')
    if (pause) options.prefetchPauseMs = spanOf(controller, pause, 'prefetch duration')
    if (percent) options.prefetchPercent = percentage(controller, percent)
  },
  serve_stale: (controller, line, options) => {
    const [time, mode] = counted(controller, line, 0, 2)
    options.staleMs = time ? spanOf(controller, time, 'serve_stale duration') : STALE_MS
    if (!mode) return
    const text = mode.text.toLowerCase()
    if (text !== 'immediate' && text !== 'verify')
      controller.fail(
        mode,
        `invalid value for serve_stale refresh mode: ${mode.text}: expected immediate or verify`,
      )
    options.isStaleVerified = text === 'verify'
  },
  servfail: (controller, line, options) => {
    const [time] = counted(controller, line, 1, 1)
    options.servfailMs = spanOf(controller, time!, 'servfail duration')
    // RFC 2308 §7.1.
    if (options.servfailMs > SERVFAIL_MS_MAX)
      controller.fail(time!, 'caching SERVFAIL responses over 5 minutes is not permitted')
  },
  disable: (controller, line, options) => {
    const [what, ...zones] = counted(controller, line, 1, Infinity)
    const named = zones.length > 0 ? controller.zonesOf(zones) : [DnsName.ROOT]
    if (what!.text === 'success') options.notSuccess = [...options.notSuccess, ...named]
    else if (what!.text === 'denial') options.notDenial = [...options.notDenial, ...named]
    else controller.fail(what!, `cache type for disable must be success or denial, not ${what!.text}`)
  },
  keepttl: (controller, line, options) => {
    counted(controller, line, 0, 0)
    options.keepsTtl = true
  },
}

function kind(controller: DnsController, line: CorefileLine, before: KindOptions): KindOptions {
  const [capacity, ttlMax, ttlMin] = counted(controller, line, 1, 3)
  return {
    capacity: Math.max(1, whole(controller, capacity!, `${line.name.text} capacity`)),
    ttlMax: ttlMax ? positive(controller, ttlMax, 'cache TTL') : before.ttlMax,
    ttlMin: ttlMin ? whole(controller, ttlMin, 'cache min TTL') : before.ttlMin,
  }
}

function whole(controller: DnsController, word: CorefileWord, what: string): number {
  const number = /^[+-]?\d+$/.test(word.text) ? Number(word.text) : Number.NaN
  if (Number.isNaN(number) || number > NUMBER_MAX)
    return controller.fail(word, `${what}: expected a whole number up to ${NUMBER_MAX}, not ${word.text}`)
  if (number < 0) return controller.fail(word, `${what} can not be negative: ${word.text}`)
  return number
}

function positive(controller: DnsController, word: CorefileWord, what: string): number {
  const number = word.text.startsWith('-') ? 0 : whole(controller, word, what)
  return number > 0 ? number : controller.fail(word, `${what} can not be zero or negative: ${word.text}`)
}

function percentage(controller: DnsController, word: CorefileWord): number {
  const [, digits] = /^(\d+)%$/.exec(word.text) ?? []
  const percent = Number(digits)
  if (digits === undefined)
    return controller.fail(word, `last character of percentage should be \`%\`, as in 10%: ${word.text}`)
  if (percent < 10 || percent > 90)
    return controller.fail(word, `percentage should fall in range [10, 90]: ${word.text}`)
  return percent
}
