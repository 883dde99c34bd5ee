/**
 * The same key goes to the same endpoint. Rendezvous hashing: each endpoint draws a number from the key, the highest wins.
 *
 * Taking one of N away moves the keys that it had won, one in N, spread over all others; nothing else moves, and there is no
 * ring to build anew. The price is a draw for each endpoint: 3 ns, or 20 where weights differ. See `balance.bench.ts`. Weights as in "Weighted Distributed Hash Tables" (Schindelhauer, Schomaker, 2005).
 */
import type { OriginRequest } from '../../../contract/origin.ts'
import type { Candidate, Choose } from './balancer.ts'

export function consistentHash(keyOf: (request: OriginRequest) => string): Choose {
  return <T extends Candidate>(candidates: readonly T[], isEven: boolean, request: OriginRequest): T => {
    const key = hashText(keyOf(request))
    let best = candidates[0]!
    let bestDraw = -1
    for (const candidate of candidates) {
      const number = mix(key ^ candidate.seed)
      // -1/ln of a number between 0 and 1 grows with it, and a share makes it win as often as it should.
      const draw = isEven ? number : -candidate.share / Math.log((number + 0.5) / 4_294_967_296)
      if (draw > bestDraw) {
        best = candidate
        bestDraw = draw
      }
    }
    return best
  }
}

/** FNV-1a over the text's code units. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return mix(hash)
}

/** The last step of MurmurHash3: every bit depends on every other. */
function mix(value: number): number {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
