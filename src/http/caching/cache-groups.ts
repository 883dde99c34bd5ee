/**
 * Groups of stored responses (RFC 9875): what belongs together, so that one write makes all of it out of date. A group is one
 * of an origin: two origins may give two groups the same name.
 */
import { headerValues, type HeaderList } from '../../wire/http1/message.ts'
import { parseList } from '../../wire/structured-fields.ts'
import { isSafe } from './invalidation.ts'

/** Names in one field that are looked at; §2 asks for 32 at least. */
const GROUPS_MAX = 1000

/** §2: the groups that a response belongs to. */
export const groupsOf = (headers: HeaderList): readonly string[] => readGroups(headers, 'cache-groups')

/** §3: the groups that an answer makes out of date; answers to safe methods make none. */
export const groupsToInvalidate = (method: string, headers: HeaderList): readonly string[] =>
  isSafe(method) ? [] : readGroups(headers, 'cache-group-invalidation')

/** The strings of a list, in any order, each once. Parameters mean nothing; a list with something else in it is none. */
function readGroups(headers: HeaderList, name: string): readonly string[] {
  const field = headerValues(headers, name)
  if (field === undefined) return []
  const groups = new Set<string>()
  for (const member of parseList(field) ?? []) {
    if (member.kind !== 'item' || member.item.type !== 'string') return []
    if (groups.size < GROUPS_MAX) groups.add(member.item.value)
  }
  return [...groups]
}
