/** What ends a whole connection (RFC 9113 §5.4.1): thrown while a frame is read, and told to the client by GOAWAY. */
export class ConnectionError extends Error {
  /** One of `ERROR`. */
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}
