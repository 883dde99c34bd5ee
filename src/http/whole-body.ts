/** Collects the body of a request, for a unit that reads it whole. */
import type { BodyConsumer } from './incoming-body.ts'
import type { Exchange } from './exchange.ts'

const NOTHING = Buffer.alloc(0)

function grown(bytes: Buffer, length: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(length)
  bytes.copy(larger)
  return larger
}

/** Calls `then` with the body as Latin-1 text, a character a byte; answers 413 with the words `tooLong` where it is longer than `bytesMax`. */
export function readWhole(
  exchange: Exchange,
  bytesMax: number,
  tooLong: string,
  then: (body: string) => void,
): void {
  // Grows by doubling: a list of pieces would cost a hundred bytes for each, and a client may send them byte by byte.
  let whole: Buffer = NOTHING
  let bytes = 0
  const consumer: BodyConsumer = {
    onBody(chunk) {
      const end = bytes + chunk.length
      if (end > bytesMax) {
        // Read on: the rest is thrown away, so that the client reads the answer.
        whole = NOTHING
      } else if (bytes === 0) {
        whole = Buffer.from(chunk)
      } else {
        if (end > whole.length) whole = grown(whole, Math.max(end, whole.length * 2))
        chunk.copy(whole, bytes)
      }
      bytes = end
      return true
    },
    onBodyEnd() {
      if (exchange.gone) return
      if (bytes > bytesMax) exchange.answerError(413, tooLong)
      else then(whole.toString('latin1', 0, bytes))
    },
    onBodyProblem: (status, reason) => exchange.answerError(status, reason),
  }
  const framing = exchange.head.framing
  if (framing.kind === 'length' && framing.bytes > bytesMax) {
    exchange.answerError(413, tooLong)
    return
  }
  exchange.connection.readBody(consumer)
}
