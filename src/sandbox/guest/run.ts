/**
 * Runs the handlers of an invocation, phase after phase, and writes its record.
 *
 * A handler that returns a promise is awaited by `settle`, whose continuations run when the step's call returns; their
 * records leave with the next step.
 */
import { awaiting } from './awaiting.ts'
import { dnsAnswerText } from './dns-answer.ts'
import { UnitQuery } from './dns-query.ts'
import {
  OUTCOME_NEXT,
  OUTCOME_PENDING,
  OUTCOME_RESPONSE,
  OUTCOME_THREW,
  BODY_BYTES,
  BODY_PASSED,
  BODY_STREAM,
  BODY_TEXT,
} from '../protocol.ts'
import { ANSWERING_PHASES, PHASE_BITS } from '../../contract/unit.ts'
import { sendStream } from './answer-stream.ts'
import { endBackground } from './background.ts'
import {
  bodyKind,
  BYTES_BODY,
  FETCHED_BODY,
  RawBody,
  STREAM_BODY,
  takeBody,
  takeFetched,
  takeStream,
} from './body.ts'
import { errorJson } from './errors.ts'
import { describe } from './fields.ts'
import { FROM_GUEST } from './illegal-constructor.ts'
import { type Invocation, phaseName } from './invocation.ts'
import { running } from './logging.ts'
import { writeInvocation } from './output.ts'
import { mapDelete, mapGet, MapIntrinsic, mapSet, reflectApply } from './primordials.ts'
import { ReceivedRequest, Request } from './request.ts'
import { isResponse, type Response, responseHead } from './response.ts'
import { Edge, UnitRequest, UnitResponse } from './unit-objects.ts'

const { rewrite, access, content, origin, originResponse, headerFilter, bodyFilter, timer, dns } = PHASE_BITS

export type Handler = (...args: readonly unknown[]) => unknown

/** The unit's handlers, read once by `install`. */
export const handlers: Record<keyof typeof PHASE_BITS, Handler | null> & {
  self: unknown
  fetch: Handler | null
} = {
  self: undefined,
  rewrite: null,
  access: null,
  content: null,
  origin: null,
  originResponse: null,
  headerFilter: null,
  bodyFilter: null,
  log: null,
  timer: null,
  dns: null,
  fetch: null,
}

/** Invocations whose handler awaits, by id. */
const pending = new MapIntrinsic<number, Invocation>()

export function start(run: Invocation): void {
  running.id = run.id
  advance(run, {
    request: new UnitRequest(FROM_GUEST, run),
    response: new UnitResponse(FROM_GUEST, run),
    edge: new Edge(FROM_GUEST, run),
  })
  running.id = 0
}

/** It timed out: its handler goes on, but nobody listens. */
export function forget(id: number): void {
  endBackground(id)
  const run = mapGet(pending, id)
  if (run === undefined) return
  run.isClosed = true
  mapDelete(pending, id)
  awaiting.count--
}

/** What the handlers of one invocation are given, the same for all its phases. */
interface Handed {
  readonly request: UnitRequest
  readonly response: UnitResponse
  readonly edge: Edge
}

function advance(run: Invocation, handed: Handed): void {
  while (run.phases !== 0) {
    run.phase = run.phases & -run.phases
    run.phases ^= run.phase
    let result: unknown
    try {
      result = call(run, handed)
      if (typeof result === 'object' && result !== null && !isResponse(result) && isThenable(result)) {
        void settle(run, handed, result)
        return
      }
    } catch (error) {
      threw(run, error)
      return
    }
    if (conclude(run, result)) return
  }
  end(run, OUTCOME_NEXT, 0, '', '', BODY_TEXT)
}

function call(run: Invocation, { request, response, edge }: Handed): unknown {
  const { self } = handlers
  switch (run.phase) {
    case rewrite:
      return reflectApply(handlers.rewrite!, self, [request, response, edge])
    case access:
      return reflectApply(handlers.access!, self, [request, response, edge])
    case content:
      return handlers.content === null
        ? reflectApply(handlers.fetch!, self, fetchArguments(run, edge))
        : reflectApply(handlers.content, self, [request, edge])
    case origin:
      return reflectApply(handlers.origin!, self, [request, edge])
    case originResponse:
      return reflectApply(handlers.originResponse!, self, [request, response, edge])
    case timer:
      return reflectApply(handlers.timer!, self, [edge])
    case dns:
      return reflectApply(handlers.dns!, self, [new UnitQuery(FROM_GUEST, run), edge])
    case headerFilter:
      return reflectApply(handlers.headerFilter!, self, [request, response, edge])
    case bodyFilter: {
      const { chunk, isLast } = run.piece
      return reflectApply(handlers.bodyFilter!, self, [chunk, isLast, request, response, edge])
    }
    default:
      return reflectApply(handlers.log!, self, [request, response, edge])
  }
}

/** `(request, env, ctx)`: the form of the Fetch API's workers. */
function fetchArguments(run: Invocation, edge: Edge): [Request, unknown, object] {
  const body = run.body === '' ? null : new RawBody(run.body, BYTES_BODY)
  const request = new Request(new ReceivedRequest(run.method, run.url, run.requestHeaders, body))
  const context = {
    waitUntil: (work: unknown) => edge.waitUntil(work),
    passThroughOnException() {},
    props: {},
    edge,
  }
  return [request, edge.env, context]
}

const isThenable = (value: object): boolean => typeof (value as { then?: unknown }).then === 'function'

/** Tells the host that the invocation's record comes later. */
function wait(run: Invocation): void {
  if (run.isPending) return
  run.isPending = true
  mapSet(pending, run.id, run)
  awaiting.count++
  writeInvocation(run.id, OUTCOME_PENDING, run.phase, '', '', '', BODY_TEXT)
}

async function settle(run: Invocation, handed: Handed, promise: unknown): Promise<void> {
  wait(run)
  try {
    const result = await promise
    if (run.isClosed || conclude(run, result)) return
  } catch (error) {
    if (!run.isClosed) threw(run, error)
    return
  }
  const before = running.id
  running.id = run.id
  advance(run, handed)
  running.id = before
}

/** Looks at what a handler returned. True: the invocation is over, and its record written. */
function conclude(run: Invocation, result: unknown): boolean {
  const mayAnswer = (run.phase & ANSWERING_PHASES) !== 0
  if (result === undefined || result === null) {
    if (run.phase !== content) return false
    threw(run, new TypeError('content returned nothing; return a Response'))
  } else if (run.phase === bodyFilter) {
    return concludePiece(run, result)
  } else if (run.phase === dns) {
    concludeQuery(run, result)
  } else if (mayAnswer && typeof result === 'object' && isResponse(result)) {
    answer(run, result)
  } else {
    const what = typeof result === 'object' && isResponse(result) ? 'a Response' : describe(result)
    const right = run.phase === content ? 'a Response' : mayAnswer ? 'nothing or a Response' : 'nothing'
    threw(run, new TypeError(`${phaseName(run.phase)} returned ${what}; return ${right}`))
  }
  return true
}

/** A filter returned something: it takes the place of the piece. */
function concludePiece(run: Invocation, result: unknown): boolean {
  const written = run.piece.answer(result)
  if (written === null) {
    threw(run, new TypeError(`bodyFilter returned ${describe(result)}; return bytes, text or nothing`))
  } else {
    end(run, OUTCOME_RESPONSE, bodyFilter, '200\n', written.body, written.kind)
  }
  return true
}

/** What answers a query, or asks another one in its place. */
function concludeQuery(run: Invocation, result: unknown): void {
  let text: string
  try {
    text = dnsAnswerText(result)
  } catch (error) {
    threw(run, error)
    return
  }
  end(run, OUTCOME_RESPONSE, dns, '200\n', text, BODY_TEXT)
}

function answer(run: Invocation, response: Response): void {
  let head: string
  let body: string
  try {
    head = responseHead(response)
    if (bodyKind(response) === STREAM_BODY) {
      const stream = takeStream(response)
      end(run, OUTCOME_RESPONSE, run.phase, head, '', BODY_STREAM)
      void sendStream(run.id, stream)
      return
    }
    if (bodyKind(response) === FETCHED_BODY) {
      const fetched = takeFetched(response)
      fetched.check()
      end(run, OUTCOME_RESPONSE, run.phase, head, fetched.number, BODY_PASSED)
      return
    }
    body = takeBody(response)
  } catch (error) {
    threw(run, error)
    return
  }
  const kind = bodyKind(response) === BYTES_BODY ? BODY_BYTES : BODY_TEXT
  end(run, OUTCOME_RESPONSE, run.phase, head, body, kind)
}

function threw(run: Invocation, error: unknown): void {
  end(run, OUTCOME_THREW, run.phase, errorJson(error), '', BODY_TEXT)
}

function end(
  run: Invocation,
  outcome: number,
  phase: number,
  head: string,
  body: string,
  kind: number,
): void {
  let edits: string
  try {
    edits = run.takeEdits()
  } catch (error) {
    // Its state is no data.
    writeInvocation(run.id, OUTCOME_THREW, run.phase, '', errorJson(error), '', BODY_TEXT)
    close(run)
    return
  }
  writeInvocation(run.id, outcome, phase, edits, head, body, kind)
  close(run)
}

function close(run: Invocation): void {
  run.isClosed = true
  if (!run.isPending) return
  mapDelete(pending, run.id)
  awaiting.count--
}
