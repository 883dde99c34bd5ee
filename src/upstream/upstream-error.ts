/** Why another server did not answer. */
export type UpstreamFailure =
  | 'timeout' // nothing came in time
  | 'refused' // nobody listens there, or the network says so
  | 'closed' // the connection ended before the answer
  | 'untrusted' // its certificate does not hold
  | 'malformed' // what came is no message
  | 'mismatch' // it answers another question
  | 'overloaded' // we wait for as many answers as we may
  | 'stopped' // we end

export class UpstreamError extends Error {
  readonly failure: UpstreamFailure

  constructor(failure: UpstreamFailure, message: string) {
    super(message)
    this.failure = failure
  }
}
