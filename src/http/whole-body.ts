/** Collects the body of a request, for a unit that reads it whole. */
import type { BodyConsumer } from './incoming-body.ts'
import type { Exchange } from './exchange.ts'

/** Calls `then` with the body as Latin-1 text, a character a byte; answers 413 where it is longer than `bytesMax`. */
export function readWhole(exchange: Exchange, bytesMax: number, then: (body: string) => void): void {
  const chunks: Buffer[] = []
  let bytes = 0
  const consumer: BodyConsumer = {
    onBody(chunk) {
      bytes += chunk.length
      // Read on: the rest is thrown away, so that the client reads the answer.
      if (bytes <= bytesMax) chunks.push(Buffer.from(chunk))
      else chunks.length = 0
      return true
    },
    onBodyEnd() {
      if (exchange.gone) return
      if (bytes > bytesMax)
        exchange.answerError(413, `a unit answers here, and reads at most ${bytesMax} bytes`)
      else then(Buffer.concat(chunks, bytes).toString('latin1'))
    },
    onBodyProblem: (status, reason) => exchange.answerError(status, reason),
  }
  const framing = exchange.head.framing
  if (framing.kind === 'length' && framing.bytes > bytesMax) {
    exchange.answerError(413, `a unit answers here, and reads at most ${bytesMax} bytes`)
    return
  }
  exchange.connection.readBody(consumer)
}
