/**
 * The names under which an answer can be purged beside its URL: `Cache-Tag` (names between commas), `Surrogate-Key` (names between blanks) and
 * `Cache-Groups` (RFC 9875 §2, a list of strings). What a unit sets as `response.tags` is `Cache-Tag`.
 */
import { headerValues, type HeaderList } from '../../../wire/http1/message.ts'
import { parseList } from '../../../wire/structured-fields.ts'
import { groupTag, originOf } from '../../../contract/purge.ts'
import { isSafe } from '../invalidation.ts'
import { copyText } from '../text.ts'
import { addressIn, urlIn } from '../keys/key-index.ts'

/** Names of one answer that are looked at; whoever sends more has them ignored, and so is not found by them. */
const TAGS_MAX = 1000
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

/** The strings of a list, without their parameters (RFC 9875 §2); none where it is not in form (RFC 9651 §4.2). */
const groupsOf = (field: string): readonly string[] =>
  parseList(field)?.flatMap((member) =>
    member.kind === 'item' && member.item.type === 'string' ? [member.item.value] : [],
  ) ?? []

/**
 * The groups that an answer to a write invalidates (RFC 9875 §3), as tags of the origin of its key; none where nothing was changed, or where the method
 * changes nothing.
 */
export function groupsToInvalidate(
  method: string,
  { status, headers }: Answered,
  key: string,
): readonly string[] {
  const field = headerValues(headers, 'cache-group-invalidation')
  if (field === undefined || isSafe(method) || status < 200 || status > 399) return NO_TAGS
  const origin = originOf(urlIn(addressIn(key)))
  return groupsOf(field).map((group) => groupTag(origin, group))
}

interface Answered {
  readonly status: number
  readonly headers: HeaderList
}
