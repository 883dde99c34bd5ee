/**
 * `edge.purge` for the units of a worker: checked here, and asked of the supervisor, which has it done on all nodes.
 *
 * What arrives was written in a sandbox: each part is checked, and what is wrong is told in the words of the author.
 */
import { asciiJson, refusal, type HostAnswer, type HostCall } from '../contract/host-calls.ts'
import type { FromWorker, UnitPurgeOutcome } from '../contract/messages.ts'
import { normalPrefix, normalTag, normalUrl, PURGE_TEXT_MAX } from '../contract/purge.ts'

export type AskUnitPurge = (asked: Omit<Extract<FromWorker, { kind: 'unitPurge' }>, 'kind'>) => void

/** URLs, prefixes and tags of one call, together. */
export const UNIT_PURGE_ITEMS_MAX = 1000
/** Purges under way on one worker. */
const WAITING_MAX = 1000

/** A call that says what it may not. */
class Wrong extends Error {}

export class PurgeCalls {
  readonly #ask: AskUnitPurge
  readonly #waiting = new Map<number, (outcome: UnitPurgeOutcome) => void>()
  #lastId = 0

  constructor(ask: AskUnitPurge) {
    this.#ask = ask
  }

  /** What the supervisor says. */
  done(id: number, outcome: UnitPurgeOutcome): void {
    const answer = this.#waiting.get(id)
    this.#waiting.delete(id)
    answer?.(outcome)
  }

  start({ unit, head }: HostCall, answer: (answer: HostAnswer) => void): (() => void) | undefined {
    let purge
    try {
      purge = parse(head)
    } catch (error) {
      if (!(error instanceof Wrong)) throw error
      answer(refusal('purge-invalid', `edge.purge: ${error.message}`, 'TypeError'))
      return undefined
    }
    if (this.#waiting.size >= WAITING_MAX) {
      answer(refusal('purge-limit', `edge.purge: more than ${WAITING_MAX} purges are under way`))
      return undefined
    }
    const id = ++this.#lastId
    const target = [purge.urls, purge.prefixes, purge.tags]
      .flatMap((list) => list ?? [])
      .join(' ')
      .slice(0, 200)
    this.#waiting.set(id, (outcome) => {
      if ('code' in outcome) answer(refusal(outcome.code, `edge.purge: ${outcome.message}`, 'Error', target))
      else
        answer({ ok: true, head: asciiJson(outcome), body: '', result: `${outcome.objects} objects`, target })
    })
    const { name, version, manifest } = unit
    this.#ask({ id, unit: { name, version }, reach: { hosts: manifest.hosts, paths: manifest.paths }, purge })
    // It goes on; nobody is told how it went.
    return () => void this.#waiting.delete(id)
  }
}

function parse(head: string) {
  let given: Partial<Record<'urls' | 'prefixes' | 'tags' | 'soft', unknown>> | null
  try {
    given = JSON.parse(head) as typeof given
  } catch {
    throw new Wrong('not in form')
  }
  if (typeof given !== 'object' || given === null) throw new Wrong('not in form')
  const urls = listOf('urls', given.urls, normalUrl, 'an absolute URL')
  const prefixes = listOf('prefixes', given.prefixes, normalPrefix, 'what an absolute URL begins with')
  const tags = listOf('tags', given.tags, normalTag, 'a tag')
  const count = (urls?.length ?? 0) + (prefixes?.length ?? 0) + (tags?.length ?? 0)
  if (count === 0) throw new Wrong('name at least one of `urls`, `prefixes` and `tags`')
  if (count > UNIT_PURGE_ITEMS_MAX)
    throw new Wrong(`${count} names, and a call takes ${UNIT_PURGE_ITEMS_MAX}`)
  return {
    ...(urls && { urls }),
    ...(prefixes && { prefixes }),
    ...(tags && { tags }),
    soft: given.soft === true,
  }
}

function listOf(
  name: string,
  given: unknown,
  normal: (text: string) => string | undefined,
  what: string,
): readonly string[] | undefined {
  if (given === undefined) return undefined
  if (!Array.isArray(given)) throw new Wrong(`\`${name}\` is a list`)
  return given.map((item: unknown) => {
    const text = typeof item === 'string' && item.length <= PURGE_TEXT_MAX ? normal(item) : undefined
    if (text === undefined)
      throw new Wrong(`\`${name}\`: ${JSON.stringify(item)?.slice(0, 80)} is not ${what}`)
    return text
  })
}
