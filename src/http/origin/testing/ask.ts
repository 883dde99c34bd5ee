/** Sends one request through an origin and gathers what the handler is told. */
import { systemClock } from '../../../base/clock.ts'
import type { EdgeError } from '../../../base/errors.ts'
import { checkConfig } from '../../../config/check.ts'
import type { ConfigInput } from '../../../config/schema.ts'
import type { Origin, OriginCall, OriginRequest } from '../../../contract/origin.ts'
import type { HeaderList, ResponseHead } from '../../../wire/http1/message.ts'
import { createOrigin, type OriginDeps } from '../origin.ts'

/** Long enough that they never pass where a test does not want them to. */
const TIMEOUTS = { connect: 20_000, response: 20_000, idle: 20_000 }

export type OriginOptions = Partial<Exclude<NonNullable<SiteInput['origin']>, string>> & {
  readonly times?: Partial<typeof TIMEOUTS>
}
type SiteInput = NonNullable<ConfigInput['sites']>[number]

/** The origin that a configuration describes; `times` are its timeouts, in milliseconds. */
export function originOf(
  endpoints: Exclude<NonNullable<SiteInput['origin']>, string>['endpoints'],
  { times, ...options }: OriginOptions = {},
  deps: Partial<OriginDeps> = {},
): Origin {
  const checked = checkConfig({ sites: [{ origin: { ...options, endpoints } }] })
  if (checked.kind === 'problems') throw new Error(JSON.stringify(checked.problems))
  const config = checked.config.sites[0]!.origin!
  return createOrigin({ ...config, timeouts: { ...TIMEOUTS, ...times } }, { clock: systemClock, ...deps })
}

/** What the handler was told, in the order of `told`. */
export interface Answer {
  readonly call: OriginCall
  head: ResponseHead | undefined
  body: string
  trailers: HeaderList | undefined
  error: EdgeError | undefined
  /** `100`, `head`, `data`, `end`, `error`, `drain`; `data` once for any number in a row. */
  readonly told: string[]
  readonly isOver: boolean
  /** Resolves when the answer is over, well or badly. */
  readonly over: Promise<Answer>
}

export interface AskOptions extends Partial<OriginRequest> {
  /** Pieces of the body, written at once. */
  readonly pieces?: readonly string[]
  /** Told each piece; false pauses. */
  readonly onData?: (chunk: Buffer, call: OriginCall) => boolean
  readonly onHead?: (call: OriginCall) => void
  readonly onDrain?: (call: OriginCall) => void
}

export function ask(origin: Origin, options: AskOptions = {}): Answer {
  const { pieces, onData, onHead, onDrain, ...request } = options
  const told: string[] = []
  const { promise: over, resolve } = Promise.withResolvers<Answer>()
  let isOver = false
  const note = (what: string): void => {
    if (told.at(-1) !== what || what !== 'data') told.push(what)
    if (what !== 'end' && what !== 'error') return
    isOver = true
    resolve(answer)
  }
  const call = origin.send(
    { method: 'GET', target: '/', headers: ['host', 'example.org'], body: 'none', ...request },
    {
      onInformational: (head) => note(String(head.status)),
      onHead(head) {
        answer.head = head
        note('head')
        onHead?.(call)
      },
      onData(chunk) {
        answer.body += chunk.toString('latin1')
        note('data')
        return onData?.(chunk, call) ?? true
      },
      onEnd(trailers) {
        answer.trailers = trailers
        note('end')
      },
      onError(error) {
        answer.error = error
        note('error')
      },
      onDrain() {
        note('drain')
        onDrain?.(call)
      },
    },
  )
  const answer: Answer = {
    call,
    head: undefined,
    body: '',
    trailers: undefined,
    error: undefined,
    told,
    over,
    get isOver() {
      return isOver
    },
  }
  if (pieces !== undefined) {
    for (const piece of pieces) call.write(Buffer.from(piece, 'latin1'))
    call.end()
  }
  return answer
}
