/** Tells of a request what ran for it, once it is over: for authors, who see each of theirs with `orla dev`. */
import type { RequestTrace } from '../contract/messages.ts'
import type { Exchange } from './exchange.ts'

export function traceExchange(exchange: Exchange, tell: (trace: RequestTrace) => void): void {
  exchange.debug ??= []
  exchange.onTrace = ({ head, answered, calls, cacheResult, cacheKey, limit, node, startedMs }) => {
    exchange.onTrace = undefined
    tell({
      method: head.method,
      target: head.target,
      status: answered?.status ?? 0,
      ms: node.monotonic() - startedMs,
      cache: cacheResult,
      cacheKey,
      ...(limit !== '' && { limit }),
      runs: exchange.debug ?? [],
      calls,
    })
  }
}
