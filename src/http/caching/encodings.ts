/** A stored response in other codings: bodies that were made of its own, and how the response looks with each. */
import type { StoredBody } from './stored-body.ts'
import type { StoredResponse } from './stored-response.ts'

export class Encodings {
  /** Bodies by coding. They are good for as long as the body they were made of. */
  readonly bodies = new Map<string, StoredBody>()
  /** By coding; undefined for the body as it is, with what the head says about codings. */
  readonly views = new Map<string | undefined, StoredResponse>()
  /** Who waits for a body that is being made. */
  readonly waiting = new Map<string, ((body: StoredBody) => void)[]>()
  /** Whether there is a point in it; undefined until somebody asked. */
  isFor: boolean | undefined = undefined

  /** What they take in memory, the heads left to whoever counts the response. */
  get bytes(): number {
    let bytes = 0
    for (const body of this.bodies.values()) bytes += body.memoryBytes
    return bytes
  }
}
