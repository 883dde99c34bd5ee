/** Words that rules of many kinds begin with: which names they mean. */
import { GoRegexError } from '../../../base/go-regex.ts'
import type { CorefileWord, DnsController } from '../../../contract/dns.ts'
import { absolute, groupsMissing, isMatchKind, type MatchKind, MATCHES, NameMatch } from './name-match.ts'

export interface NamedWords {
  readonly match: NameMatch
  readonly from: CorefileWord
  /** What stands behind the name. */
  readonly rest: readonly CorefileWord[]
}

/** `[exact|prefix|suffix|substring|regex] NAME`, and `count` words behind; more of them where `mayBeMore`. */
export function matchOf(
  controller: DnsController,
  field: CorefileWord,
  args: readonly CorefileWord[],
  count: number,
  mayBeMore = false,
): NamedWords {
  const what = field.text.toLowerCase()
  const said = args[0]?.text.toLowerCase() ?? ''
  // A name may be called as a kind is, where the words would not be enough otherwise.
  const hasKind = isMatchKind(said) && args.length >= 2 + count
  const [from, ...rest] = hasKind ? args.slice(1) : args
  if (!from || rest.length < count)
    return controller.fail(
      field,
      `too few arguments for a ${what} rule: expected ${what} [${MATCHES.join('|')}] NAME and ${count === 1 ? 'one more' : `${count} more`}`,
    )
  if (!hasKind && rest.length > count && !mayBeMore)
    return controller.fail(
      args[0]!,
      `${what} rule: '${args[0]!.text}' is no kind of match: expected ${MATCHES.join(', ')}`,
    )
  if (rest.length > count && !mayBeMore)
    return controller.fail(
      rest[count]!,
      `unexpected trailing arguments for a ${what} rule: '${rest[count]!.text}'`,
    )
  return { match: matchFor(controller, hasKind ? (said as MatchKind) : 'exact', from), from, rest }
}

export function matchFor(controller: DnsController, kind: MatchKind, from: CorefileWord): NameMatch {
  try {
    return new NameMatch(kind, from.text)
  } catch (error) {
    if (error instanceof GoRegexError) return controller.fail(from, error.message)
    throw error
  }
}

/** What a name becomes: a whole one, or the end of one, has its dot. */
export function targetName(
  controller: DnsController,
  word: CorefileWord,
  kind: MatchKind,
  from?: CorefileWord,
): string {
  if (kind === 'regex' && from) {
    const missing = groupsMissing(from.text, word.text)
    if (missing !== undefined)
      controller.fail(word, `the expression has no group {${missing}}, which '${word.text}' speaks of`)
  }
  const text = word.text.toLowerCase()
  return kind === 'prefix' || kind === 'substring' ? text : absolute(text)
}
