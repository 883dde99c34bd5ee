/** `fetch` of the Fetch standard, as a call of the host. Bodies are sent whole. */
import { onAbort } from './abort.ts'
import {
  bodyKind,
  BYTES_BODY,
  gatherBody,
  NO_BODY,
  RawBody,
  STREAM_BODY,
  STREAM_BYTES_MAX,
  takeBody,
} from './body.ts'
import { callError, dropCall, sendCall } from './calls.ts'
import { FetchedBody } from './fetched-body.ts'
import { running } from './logging.ts'
import { indexOf, slice, startsWith, stringifyJson } from './primordials.ts'
import { partsOfRequest, Request, type RequestInit } from './request.ts'
import { receivedResponse, type Response } from './response.ts'
import { setup } from './setup.ts'
import { BODY_BYTES, BODY_TEXT } from '../protocol.ts'

export async function fetch(input: unknown, init?: RequestInit): Promise<Response> {
  // Known now, and not after the first `await`.
  const caller = running.id
  if (setup.isInstalling) throw new TypeError('fetch is called in a handler, not at the top level of a unit')
  const request = new Request(input, init)
  const { method, url, headers, redirect, signal } = partsOfRequest(request)
  if (signal !== null && signal.aborted) throw signal.reason
  const kind = bodyKind(request)
  const body = kind >= STREAM_BODY ? await gatherBody(request, STREAM_BYTES_MAX) : takeBody(request)
  if (signal !== null && signal.aborted) throw signal.reason
  const head = stringifyJson({ method, url, headers, redirect, hasBody: kind !== NO_BODY })
  const isBytes = kind >= BYTES_BODY
  const call = sendCall(caller, 'fetch', head, body, isBytes ? BODY_BYTES : BODY_TEXT)
  const stop = signal === null ? null : onAbort(signal, () => dropCall(call.number, signal.reason))
  const answer = await call.answer
  if (stop !== null) stop()
  if (!answer.isOk) throw callError(answer.head)
  if (!answer.goesOn) return responseOf(answer.head, new RawBody(answer.body, BYTES_BODY))
  const rest = new FetchedBody(call.number, caller, signal)
  if (signal !== null && signal.aborted) {
    rest.cancel()
    throw signal.reason
  }
  return responseOf(answer.head, rest)
}

/** `STATUS REDIRECTED REASON\nURL\nname: value\r\n…` */
function responseOf(head: string, body: RawBody | FetchedBody): Response {
  const line = indexOf(head, '\n')
  const next = indexOf(head, '\n', line + 1)
  const status = +slice(head, 0, 3)
  const redirected = startsWith(head, '1', 4)
  return receivedResponse(
    status,
    slice(head, 6, line),
    slice(head, line + 1, next),
    redirected,
    slice(head, next + 1),
    body,
  )
}
