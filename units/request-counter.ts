/**
 * Counts the requests of each address, and tells the count in the response header `X-Request-Counter`.
 *
 * The counter lies in `edge.kv`: it is one for all workers, and outlives a restart. It begins anew some time after an address's
 * first request, so that the addresses that are kept do not grow without end.
 *
 * Environment: `SECONDS`, after which it begins anew (`86400`, a day, where it is not set).
 */
import type { Unit } from 'orla'

export default {
  // Who counts refuses nobody: where the count cannot be kept, requests go on without it.
  onError: 'open',
  async access(request, response, edge) {
    const ttl = Number(edge.env.SECONDS ?? 86_400)
    const count = await edge.kv.increment(edge.client.address, 1, { ttl })
    response.headers.set('X-Request-Counter', String(count))
  },
} satisfies Unit
