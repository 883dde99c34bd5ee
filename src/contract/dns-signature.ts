/** What a plugin has done with an answer once it is bytes. */

/** Signs what is sent (RFC 8945): each message of an answer in its order, once it is bytes. */
export interface DnsSignature {
  /** How many bytes a message grows by: the server leaves that room. */
  readonly bytes: number
  sign(message: Buffer): Buffer
}
