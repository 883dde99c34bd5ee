/**
 * The steps below an example: a request and what its answer must be, or a line that the unit must have logged.
 *
 *     GET /path → 200
 *     POST /path | name: value | "body" → 201 | name: value | no name | "text in the body"
 *     log text
 *     eventually STEP                        again and again until it holds
 *
 * `…` in a value or a text stands for anything.
 */
import assert from 'node:assert/strict'
import { eventually } from '../harness/eventually.ts'
import { ask } from '../harness/http-client.ts'

/**
 * Work that goes on after an answer is lost where its sandbox is ended for standing still, which is no fault of the unit: so long without
 * its line, it is asked for again.
 */
const AGAIN_MS = 10_000

export interface Places {
  /** Of the edge: `http://127.0.0.1:PORT`. */
  readonly url: string
  /** What `orla tail` has printed since the example was deployed. */
  log(): string
  /** Sends the request of which a line is awaited once more. */
  again?(): Promise<unknown>
}

export async function runStep(step: string, places: Places): Promise<void> {
  const later = /^eventually (.*)$/.exec(step)?.[1]
  if (later !== undefined) {
    await eventually(async () => (await runStep(later, places), true))
    return
  }
  const logged = /^log (.*)$/.exec(step)?.[1]
  if (logged !== undefined) {
    const isThere = () => pattern(logged).test(places.log())
    let askedAt = performance.now()
    const holds = async () => {
      if (isThere() || performance.now() - askedAt < AGAIN_MS) return isThere()
      askedAt = performance.now()
      await places.again?.()
      return isThere()
    }
    await eventually(holds, { what: () => `the tail did not show "${logged}", but: ${places.log()}` })
    return
  }
  const [left = '', right] = step.split(' → ')
  const request = /^(?<method>[A-Z]+) (?<target>\S+)(?: \| (?<parts>.*))?$/.exec(left)?.groups
  if (!request || right === undefined) throw new Error(`not a step: ${step}`)
  const { method, target, parts } = request
  const body = parts?.split(' | ').find((part) => part.startsWith('"'))
  const headers = (parts?.split(' | ') ?? []).filter((part) => part !== body).map(headerOf)
  const answer = await ask(places.url + target!, {
    method: method!,
    headers: Object.fromEntries(headers),
    ...(body === undefined ? {} : { body: textIn(body) }),
  })
  const [status, ...expected] = right.split(' | ')
  assert.equal(answer.status, Number(status), `${step}: ${answer.text}`)
  for (const part of expected) {
    if (part.startsWith('"')) assert.match(answer.text, pattern(textIn(part)), step)
    else if (part.startsWith('no ')) assert.equal(answer.headers[part.slice(3)], undefined, step)
    else {
      const [name, value] = headerOf(part)
      assert.match(String(answer.headers[name]), new RegExp(`^${pattern(value).source}$`), step)
    }
  }
}

function headerOf(part: string): [name: string, value: string] {
  const [, name, value] = /^([\w-]+): (.*)$/.exec(part) ?? []
  if (name === undefined || value === undefined) throw new Error(`not a header: ${part}`)
  return [name, value]
}

/** The text between quotes; escapes as in JSON. */
const textIn = (quoted: string): string => JSON.parse(quoted) as string

export const pattern = (text: string): RegExp => new RegExp(text.split('…').map(escaped).join('[^]*'))

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
