/**
 * HTTP caching, case by case, of a running node: what a client asks, what the origin says where it is asked, and whether it was.
 *
 * Nothing waits for time to pass: what has to be stale comes with an `Age`.
 */
import assert from 'node:assert/strict'
import { type TestContext } from 'node:test'
import type { Answer } from '../harness/http-client.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

/** Header lines in order; a list of values makes several lines. */
export type Lines = Readonly<Record<string, string | readonly string[]>>

export interface Step {
  readonly method?: string
  /** Behind the case's own path. */
  readonly path?: string
  /** Header lines of the request. */
  readonly ask?: Lines
  /** What the origin says, if it is asked: that of the step before where it is absent. */
  readonly status?: number
  readonly answer?: Lines
  readonly body?: string
  /** The origin answers in full, whatever it is asked. */
  readonly isFull?: boolean
  /** `origin`: it was asked, `cache`: it was not, `validated`: it was asked with a condition of the cache. */
  readonly from: 'origin' | 'cache' | 'validated'
  /** Where it is not the origin's, or 304 where this was asked whether something is still good. */
  readonly expectStatus?: number
  readonly expectBody?: string
  /** Headers of the answer; null: it must not be there. */
  readonly expect?: Readonly<Record<string, string | RegExp | null>>
  /** Headers of the request as the origin saw it. */
  readonly saw?: Readonly<Record<string, string | RegExp | null>>
}

export interface Case {
  /** `RFC 9111 §4.2.1`. */
  readonly section: string
  readonly name: string
  readonly steps: readonly Step[]
}

interface Seen {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

export async function startLab(
  t: TestContext,
  cache: object = {},
): Promise<{ run(example: Case): Promise<void> }> {
  const answers = new Map<string, Step>()
  const seen: Seen[] = []
  const origin = await startOrigin(t, (request, response) => {
    seen.push({ headers: request.headers })
    const step = answers.get(request.headers['x-case'] as string)!
    const isCondition =
      request.headers['if-none-match'] !== undefined || request.headers['if-modified-since'] !== undefined
    const status =
      step.from === 'validated' && isCondition && step.isFull !== true ? 304 : (step.status ?? 200)
    const lines = Object.entries(step.answer ?? {}).flatMap(([name, values]) =>
      (typeof values === 'string' ? [values] : values).flatMap((value) => [name, value]),
    )
    request.resume()
    response.writeHead(status, lines)
    response.end(status === 304 || status === 204 ? undefined : (step.body ?? 'body'))
  })
  const node = await startNode(t, {
    config: { edge: { debugToken: 'debug' }, sites: [{ origin: origin.url, cache }] },
  })
  let count = 0
  const run = async ({ steps }: Case): Promise<void> => {
    const id = String(++count)
    let last: Step | undefined
    for (const [at, given] of steps.entries()) {
      const step = { ...(given.answer === undefined && last !== undefined ? pick(last) : {}), ...given }
      last = step
      answers.set(id, step)
      const before = seen.length
      const answer = await node.request(`/${id}${step.path ?? ''}`, {
        method: step.method ?? 'GET',
        headers: { ...step.ask, 'x-case': id },
        ...(step.method === undefined || step.method === 'HEAD' ? {} : { body: 'x' }),
      })
      judge(step, answer, seen.slice(before), `step ${at + 1}: ${JSON.stringify(answer.headers)}`)
    }
  }
  return { run }
}

const pick = ({ answer, status, body }: Step): Partial<Step> => ({
  ...(answer && { answer }),
  ...(status !== undefined && { status }),
  ...(body !== undefined && { body }),
})

function judge(step: Step, answer: Answer, asked: readonly Seen[], told: string): void {
  const from = asked.length === 0 ? 'cache' : isValidation(step, asked[0]!) ? 'validated' : 'origin'
  assert.equal(from, step.from, told)
  if (step.from !== 'cache') assert.equal(asked.length, 1, told)
  assert.equal(answer.status, step.expectStatus ?? step.status ?? 200, told)
  if (step.expectBody !== undefined) assert.equal(answer.text, step.expectBody, told)
  for (const [name, expected] of Object.entries(step.expect ?? {}))
    match(answer.headers[name], expected, told)
  for (const [name, expected] of Object.entries(step.saw ?? {}))
    match(asked[0]?.headers[name] as string | undefined, expected, told)
}

/** A condition that the client did not send. */
const isValidation = ({ ask = {} }: Step, { headers }: Seen): boolean =>
  ['if-none-match', 'if-modified-since'].some(
    (name) => headers[name] !== undefined && headers[name] !== ask[name],
  )

function match(value: unknown, expected: string | RegExp | null, told: string): void {
  if (expected === null) assert.equal(value, undefined, told)
  else if (typeof expected === 'string') assert.equal(String(value), expected, told)
  else assert.match(String(value), expected, told)
}

/** A day of the year 1994, a day of 2093, and what else dates are made of. */
export const PAST = 'Sun, 06 Nov 1994 08:49:37 GMT'
export const FUTURE = 'Fri, 06 Nov 2093 08:49:37 GMT'

/** Twice the same request: kept, or asked for again. */
export const kept = (
  section: string,
  name: string,
  answer: Lines,
  from: Step['from'],
  more: Partial<Step> = {},
): Case => ({
  section,
  name,
  steps: [
    { ...more, answer, from: 'origin' },
    { ...more, from },
  ],
})
