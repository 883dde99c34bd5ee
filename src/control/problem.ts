/** Errors as RFC 9457 problem details, with the row of `error-codes.ts` and what the error knows beyond its sentence. */
import { ERROR_CODES, type ErrorCode } from '../base/error-codes.ts'
import { EdgeError } from '../base/errors.ts'
import { NotFinished, Refused } from './node.ts'
import type { ProblemDetails } from './shapes.ts'

export function toProblem(error: EdgeError): ProblemDetails {
  return {
    type: `urn:orla:error:${error.code}`,
    title: ERROR_CODES[error.code].title,
    status: error.status,
    detail: error.message,
    code: error.code,
    hint: error.hint,
    ...(error instanceof Refused ? { problems: [...error.problems] } : {}),
    ...(error instanceof NotFinished ? { laggards: [...error.laggards], outcome: error.outcome } : {}),
  }
}

export function problemResponse(error: EdgeError, headers: Record<string, string> = {}): Response {
  const problem = toProblem(error)
  return new Response(`${JSON.stringify(problem)}\n`, {
    status: problem.status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...headers },
  })
}

/** Whatever was thrown. What is not an `EdgeError` is a mistake of ours: the client is told so, the log gets the rest. */
export const toEdgeError = (error: unknown, code: ErrorCode = 'internal'): EdgeError =>
  error instanceof EdgeError
    ? error
    : new EdgeError(code, error instanceof Error ? error.message : String(error), { cause: error })
