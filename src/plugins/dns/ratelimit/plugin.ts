/** `ratelimit`: how much, and how often, clients are answered over UDP who may not have asked. */
import { CidrSet, type Cidr, parseCidr } from '../../../base/cidr.ts'
import { parseSize } from '../../../base/quantity.ts'
import type { CorefileLine, CorefileWord, DnsController, DnsPlugin } from '../../../contract/dns.ts'
import { AddressLimiter } from '../../../limit/index.ts'
import { atMost, unknownProperty } from '../line-words.ts'
import { isOver, OVER, type Over, RateLimitHandler } from './handler.ts'

const PROPERTIES = ['amplification', 'prefix', 'over', 'exempt']
const QUERIES_MAX = 1_000_000
/** As the server has it without this plugin. */
const USUAL_BYTES = 512 * 1024

interface Limits {
  queries: number | undefined
  bytesPerSecond: number
  v4: number
  v6: number
  over: Over
  readonly exempt: Cidr[]
}

export default {
  name: 'ratelimit',
  setup(controller) {
    const [line, again] = controller.lines
    if (again) return controller.fail(again, 'this plugin can only be used once per Server Block')
    const limits = readLimits(controller, line!)
    const { v4, v6, bytesPerSecond, queries, over } = limits
    const exempt = new CidrSet(limits.exempt)
    controller.settings.amplification = { bytesPerSecond, prefixes: { v4, v6 }, exempt }
    if (queries === undefined) return undefined
    const limiter = new AddressLimiter({ limit: queries, window: '1s', prefixes: { v4: [v4], v6: [v6] } })
    return new RateLimitHandler({ limiter, exempt, over }, controller)
  },
} satisfies DnsPlugin

function readLimits(controller: DnsController, line: CorefileLine): Limits {
  atMost(controller, line, 1)
  const [queries] = line.args
  const limits: Limits = {
    queries: queries && wholeOf(controller, queries, 'queries a second', 1, QUERIES_MAX),
    bytesPerSecond: USUAL_BYTES,
    v4: 24,
    v6: 56,
    over: 'truncate',
    exempt: [parseCidr('127.0.0.0/8')!, parseCidr('::1')!],
  }
  for (const property of line.block ?? []) readProperty(controller, property, limits)
  return limits
}

function readProperty(controller: DnsController, line: CorefileLine, limits: Limits): void {
  const { name, args } = line
  const [first, second] = args
  if (!PROPERTIES.includes(name.text)) unknownProperty(controller, line, PROPERTIES)
  if (!first) return controller.fail(line, `${name.text} needs an argument`)
  if (name.text === 'exempt') {
    for (const word of args)
      limits.exempt.push(
        parseCidr(word.text) ??
          controller.fail(
            word,
            `${word.text} is no address and no network: expected one such as 192.0.2.0/24`,
          ),
      )
    return
  }
  atMost(controller, line, name.text === 'prefix' ? 2 : 1)
  if (name.text === 'prefix') {
    if (!second)
      return controller.fail(line, 'prefix needs the bits of IPv4 and of IPv6, such as: prefix 24 56')
    limits.v4 = wholeOf(controller, first, 'bits of IPv4', 8, 32)
    limits.v6 = wholeOf(controller, second, 'bits of IPv6', 16, 64)
  } else if (name.text === 'over') {
    const over = first.text
    if (!isOver(over)) return controller.fail(first, `over ${over}: expected ${OVER.join(', ')}`)
    limits.over = over
  } else if (first.text === 'off') limits.bytesPerSecond = Infinity
  else {
    const bytes = parseSize(first.text)
    if (!bytes)
      return controller.fail(
        first,
        `amplification ${first.text}: expected bytes a second such as 512kb, or off`,
      )
    limits.bytesPerSecond = bytes
  }
}

function wholeOf(
  controller: DnsController,
  word: CorefileWord,
  what: string,
  least: number,
  most: number,
): number {
  const value = /^\d{1,7}$/.test(word.text) ? Number(word.text) : Number.NaN
  if (value >= least && value <= most) return value
  return controller.fail(word, `${word.text} is no number of ${what}: expected ${least} to ${most}`)
}
