/** `rewrite`: questions are changed before the rest of the chain sees them, and answers on their way back. */
import type { CorefileLine, CorefileWord, DnsController, DnsPlugin } from '../../../contract/dns.ts'
import { parseClass, parseRcode, parseType } from '../../../wire/dns/codes.ts'
import { CnameRule } from './cname-rule.ts'
import { readEdnsRule } from './edns-syntax.ts'
import { RewriteHandler } from './handler.ts'
import { readNameRule } from './name-syntax.ts'
import { matchOf, targetName } from './rule-words.ts'
import { NumberRule, RcodeRule, type RewriteRule, TtlRule } from './rules.ts'

export default {
  name: 'rewrite',
  setup: (controller) =>
    new RewriteHandler(
      controller.lines.map((line) => readRule(controller, line)),
      controller.log,
    ),
} satisfies DnsPlugin

const FIELDS = ['name', 'type', 'class', 'edns0', 'ttl', 'cname', 'rcode']

function readRule(controller: DnsController, line: CorefileLine): RewriteRule | CnameRule {
  // The lines of a block are one line, which is only broken.
  const words = [...line.args, ...(line.block ?? []).flatMap(({ name, args }) => [name, ...args])]
  const mode = words[0]?.text.toLowerCase()
  const hasMode = mode === 'continue' || mode === 'stop'
  const [field, ...args] = hasMode ? words.slice(1) : words
  if (!field)
    return controller.fail(
      line,
      'no rule type specified for rewrite: expected one such as: rewrite name a.example b.example',
    )
  const isLast = mode !== 'continue'
  switch (field.text.toLowerCase()) {
    case 'name':
      return readNameRule(controller, field, args, isLast)
    case 'answer':
      return controller.fail(field, 'response rewrites must begin with a name rule')
    case 'type':
      return numberRule(controller, field, args, isLast, 'type', parseType)
    case 'class':
      return numberRule(controller, field, args, isLast, 'class', parseClass)
    case 'edns0':
      return readEdnsRule(controller, field, args, isLast)
    case 'ttl': {
      const { match, rest } = matchOf(controller, field, args, 1)
      const [leastS, mostS] = ttlRange(controller, rest[0]!)
      return new TtlRule(isLast, match, leastS, mostS)
    }
    case 'cname': {
      const { match, rest } = matchOf(controller, field, args, 1)
      return new CnameRule(isLast, match, targetName(controller, rest[0]!, match.kind), controller.lookup)
    }
    case 'rcode': {
      const { match, rest } = matchOf(controller, field, args, 2)
      const [from, to] = rest.map((word) => rcodeOf(controller, word))
      return new RcodeRule(isLast, match, from!, to!)
    }
    default:
      return controller.fail(field, `invalid rule type '${field.text}': expected ${FIELDS.join(', ')}`)
  }
}

function numberRule(
  controller: DnsController,
  field: CorefileWord,
  args: readonly CorefileWord[],
  isLast: boolean,
  what: 'type' | 'class',
  parse: (text: string) => number | undefined,
): RewriteRule {
  if (args.length !== 2) return controller.fail(field, `${what} rules must have exactly two arguments`)
  const [from, to] = args.map(
    (word) => parse(word.text) ?? controller.fail(word, `invalid ${what} ${word.text}`),
  )
  return new NumberRule(isLast, what, from!, to!)
}

const TTL_MAX_S = 2 ** 31 - 1

/** `30`, `30-300`, `30-`, `-300`. */
function ttlRange(controller: DnsController, word: CorefileWord): readonly [leastS: number, mostS: number] {
  const [, least, dash, most] = /^(\d*)(-?)(\d*)$/.exec(word.text) ?? []
  const isRange = dash === '-'
  const leastS = least ? Number(least) : 0
  const mostS = isRange ? (most ? Number(most) : TTL_MAX_S) : leastS
  if ((!least && !most) || leastS > TTL_MAX_S || mostS > TTL_MAX_S)
    return controller.fail(
      word,
      `invalid TTL '${word.text}' for a ttl rule: expected seconds such as 30, 30-300, 30- or -300`,
    )
  if (mostS < leastS)
    return controller.fail(word, `invalid TTL '${word.text}' for a ttl rule: its end is before its beginning`)
  return [leastS, mostS]
}

const rcodeOf = (controller: DnsController, word: CorefileWord): number =>
  (/^\d{1,4}$/.test(word.text) && Number(word.text) <= 0xfff ? Number(word.text) : parseRcode(word.text)) ??
  controller.fail(word, `invalid rcode ${word.text}: expected one such as NXDOMAIN`)
