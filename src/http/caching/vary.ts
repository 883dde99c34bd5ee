/**
 * `Vary`: which headers of a request choose between the answers of one address (RFC 9111 §4.1).
 *
 * Each stored answer carries the values that chose it, and a request is compared with those, rather than folded into a
 * longer key: so answers of one address may vary by different headers, as they do when an origin sets `Vary` on some of
 * them only, and no string is built to look one up.
 */
import { headerValues, type HeaderList } from '../../wire/http1/message.ts'
import { copyText, isToken } from './text.ts'
import { PLAIN_VARY, type Reduce, type VaryRules } from './vary-rules.ts'

/** One header that chose, and what it said in the request that was answered; undefined: it was not there. */
export interface Choice {
  readonly name: string
  /** As it was received: mostly the next request says the same to the letter, and nothing has to be normalised. */
  readonly received: string | undefined
  readonly normalised: string | undefined
  /** What of a value counts. */
  readonly reduce: Reduce
}

export type Selecting = readonly Choice[]
const NONE: Selecting = []
const NO_NAMES: readonly string[] = []

/** Names in one `Vary`, at most: beyond it nothing would ever match again. */
const NAMES_MAX = 16

/** The names in lower case, each once; `any` where no later request may be answered with this response. */
export function parseVary(headers: HeaderList): readonly string[] | 'any' {
  const field = headerValues(headers, 'vary')
  if (field === undefined) return NO_NAMES
  const names = new Set<string>()
  for (const member of field.split(',')) {
    const name = member.trim().toLowerCase()
    if (name === '') continue
    // What is no name is a mistake; that it means `*` is the safe guess.
    if (name === '*' || !isToken(name)) return 'any'
    names.add(name)
  }
  return names.size > NAMES_MAX ? 'any' : [...names]
}

/** What of this request chooses, if these names do. The text is copied: it will be kept. */
export function selectingOf(
  names: readonly string[],
  headers: HeaderList,
  rules: VaryRules = PLAIN_VARY,
): Selecting {
  if (names.length === 0) return NONE
  return names.map((name) => {
    const value = headerValues(headers, name)
    const reduce = rules.of(name)
    const received = value === undefined ? undefined : copyText(value)
    const reduced = reduce(received)
    const isSame = reduced === received || reduced === undefined
    return { name: copyText(name), received, normalised: isSame ? reduced : copyText(reduced), reduce }
  })
}

/** Whether a request with these headers would have been given the same answer. */
export function isSelectedBy(selecting: Selecting, headers: HeaderList): boolean {
  for (const choice of selecting) {
    const value = headerValues(headers, choice.name)
    if (value !== choice.received && choice.reduce(value) !== choice.normalised) return false
  }
  return true
}

/** The values of these names as one string, for a map of what is being fetched. */
export function variantKey(
  names: readonly string[],
  headers: HeaderList,
  rules: VaryRules = PLAIN_VARY,
): string {
  let key = ''
  for (const name of names) {
    const value = rules.of(name)(headerValues(headers, name))
    // A line break and a NUL cannot occur in a header: so no two variants make the same key.
    key += value === undefined ? '\n\0' : `\n${value}`
  }
  return key
}
