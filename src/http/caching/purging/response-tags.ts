/**
 * The names under which an answer can be purged beside its URL: `Cache-Tag` (names between commas), `Surrogate-Key` (names between blanks) and
 * `Cache-Groups` (RFC 9875 §2, a list of strings). What a unit sets as `response.tags` is `Cache-Tag`.
 */
import { headerValues, type HeaderList } from '../../../wire/http1/message.ts'
import { groupTag, originOf } from '../../../contract/purge.ts'
import { copyText } from '../text.ts'
import { addressIn, urlIn } from '../keys/key-index.ts'

/** Names of one answer that are looked at; whoever sends more has them ignored, and so is not found by them. */
export const TAGS_MAX = 1000
const NO_TAGS: readonly string[] = []

/** Copies, which keep no head alive. `key`: groups are those of its origin. */
export function tagsOf(headers: HeaderList, key: string): readonly string[] {
  const tags = headerValues(headers, 'cache-tag')
  const surrogates = headerValues(headers, 'surrogate-key')
  const groups = headerValues(headers, 'cache-groups')
  if (tags === undefined && surrogates === undefined && groups === undefined) return NO_TAGS
  const names = new Set<string>()
  const add = (name: string) => {
    if (name !== '' && names.size < TAGS_MAX) names.add(copyText(name))
  }
  for (const tag of tags?.split(',') ?? []) add(tag.trim())
  for (const tag of surrogates?.split(/[ \t,]+/) ?? []) add(tag)
  if (groups === undefined) return [...names]
  const origin = originOf(urlIn(addressIn(key)))
  for (const group of groupsOf(groups)) {
    // An operator names it as it is; what invalidates groups means those of its origin.
    add(group)
    add(groupTag(origin, group))
  }
  return [...names]
}

/**
 * The strings of a list (RFC 9651 §3.1), without their parameters; none where it is not in form: a field that does not parse is ignored
 * as a whole (RFC 9651 §4.2).
 */
export function groupsOf(field: string): readonly string[] {
  const groups: string[] = []
  const member =
    /\s*"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"(?:[ ]*;[ ]*[a-z*][a-z0-9_.*-]*(?:=(?:"(?:[^"\\]|\\.)*"|[^\s,;]+))?)*[ \t]*(,|$)/y
  for (;;) {
    const found = member.exec(field)
    if (found === null) return []
    groups.push(found[1]!.replaceAll(/\\(["\\])/g, '$1'))
    if (found[2] === '') return groups
  }
}
