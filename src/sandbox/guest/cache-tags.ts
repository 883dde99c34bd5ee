/** `Cache-Tag: news, front` as a list and back: the names under which a stored response can be purged. */
import { describe, quoted } from './fields.ts'
import { charCodeAt, freeze, indexOf, isArray, parseJson, slice, stringifyJson } from './primordials.ts'

const isBlank = (code: number): boolean => code === 32 || code === 9

/** A frozen list. Made by JSON, which no setter on a prototype can see. */
export function tagsOf(field: string | null): readonly string[] {
  let json = ''
  let at = 0
  while (field !== null && at <= field.length) {
    const comma = indexOf(field, ',', at)
    let end = comma === -1 ? field.length : comma
    const next = end + 1
    while (at < end && isBlank(charCodeAt(field, at))) at++
    while (end > at && isBlank(charCodeAt(field, end - 1))) end--
    if (end > at) json += `${json === '' ? '' : ','}${stringifyJson(slice(field, at, end))}`
    at = next
  }
  return freeze(parseJson(`[${json}]`) as string[])
}

/** The header's value for a list; empty for an empty one. */
export function tagsText(tags: unknown): string {
  if (!isArray(tags)) throw new TypeError(`${describe(tags)} is no list of tags`)
  let text = ''
  for (let i = 0; i < tags.length; i++) {
    const tag: unknown = tags[i]
    if (typeof tag !== 'string' || !isTag(tag)) {
      throw new TypeError(
        `${typeof tag === 'string' ? quoted(tag) : describe(tag)} is no tag: visible ASCII without commas`,
      )
    }
    text += text === '' ? tag : `,${tag}`
  }
  return text
}

function isTag(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = charCodeAt(text, i)
    if (code <= 32 || code >= 127 || code === 44) return false
  }
  return text !== ''
}
