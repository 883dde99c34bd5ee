/** `edge.purge`: what it takes goes out as it is, checked by the host. */
import { BODY_TEXT } from '../protocol.ts'
import { callError, sendCall } from './calls.ts'
import { describe } from './fields.ts'
import { parseJson, stringifyJson } from './primordials.ts'

interface Scope {
  readonly urls?: unknown
  readonly prefixes?: unknown
  readonly tags?: unknown
  readonly soft?: unknown
}

export async function purge(id: number, given: unknown): Promise<unknown> {
  if (typeof given !== 'object' || given === null)
    throw new TypeError(`edge.purge takes { urls, prefixes, tags, soft }, not ${describe(given)}`)
  const { urls, prefixes, tags, soft } = given as Scope
  const head = stringifyJson({ urls, prefixes, tags, soft: soft === true })
  const answer = await sendCall(id, 'purge', head, '', BODY_TEXT).answer
  if (!answer.isOk) throw callError(answer.head)
  return parseJson(answer.head)
}
