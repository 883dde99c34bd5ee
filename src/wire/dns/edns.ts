/** What an OPT record says (RFC 6891 §6.1): of the message, not of a name. */

export interface EdnsOption {
  readonly code: number
  readonly data: Buffer
}

export interface Edns {
  /** The largest answer over UDP that its sender takes, as it was written; below 512 it counts as 512 (§6.2.3). */
  udpSize: number
  version: number
  /** DNSSEC OK (RFC 3225): records of DNSSEC are wanted. */
  isDo: boolean
  readonly options: EdnsOption[]
}

/** Option by option, as far as they are whole; undefined where one is cut: that is malformed. */
export function readOptions(bytes: Buffer, from: number, to: number): EdnsOption[] | undefined {
  const options: EdnsOption[] = []
  for (let at = from; at < to;) {
    if (at + 4 > to) return undefined
    const end = at + 4 + bytes.readUInt16BE(at + 2)
    if (end > to) return undefined
    options.push({ code: bytes.readUInt16BE(at), data: bytes.subarray(at + 4, end) })
    at = end
  }
  return options
}
