/** Chunked bodies in one plain request, so that the damage hits the chunks. See fuzz/differential.ts; run longer by scripts/fuzz-http.ts. */
import { fuzz, type FuzzOptions, type Outcome } from './fuzz/differential.ts'
import { makeChunked, type Made } from './fuzz/generator.ts'
import type { Random } from './fuzz/random.ts'

export function fuzzChunked(options: FuzzOptions): Outcome {
  return fuzz('request', makeChunkedRequest, options)
}

function makeChunkedRequest(random: Random): Made {
  const { wire, data } = makeChunked(random)
  return {
    text: `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${wire}`,
    meant: { start: 'POST /', headers: ['host', 'a', 'transfer-encoding', 'chunked'], body: data },
  }
}
