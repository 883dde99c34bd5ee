/**
 * Guards a login against who tries passwords: who fails too often waits, and who goes on all the same is banned.
 *
 * A try has failed where the origin answers 401 or 403. Tries are counted by the client's address; behind one IPv6 prefix (/64) all addresses are one
 * client. It runs for `POST /login` unless told otherwise; beyond twenty tries a minute nothing of it runs at all.
 *
 * Environment: `BAN`, how long who goes on is kept out of the whole node, on all nodes: `10m`, `1d`. Where it is not set, nobody is banned.
 */
import type { Edge, Taken, Unit } from 'orla'

export default {
  methods: 'POST',
  paths: '/login',
  // Before units that cost more.
  priority: 100,
  limit: [
    { name: 'login-tries', rate: '20/1m' },
    { name: 'login-failures', rate: '5/10m', key: 'unit' },
    { name: 'login-stubborn', rate: '10/10m', key: 'unit' },
  ],
  async access(request, response, edge) {
    // Only looks: what has not failed is nobody's failure.
    const failures = await edge.limit('login-failures').take(edge.client.address, 0)
    if (failures.remaining > 0) return
    const { allowed } = await edge.limit('login-stubborn').take(edge.client.address)
    if (!allowed) edge.waitUntil(keepOut(edge))
    return tooMany(failures)
  },
  async headerFilter(request, response, edge) {
    if (response.status === 401 || response.status === 403)
      await edge.limit('login-failures').take(edge.client.address)
  },
} satisfies Unit

/** A client that may not be banned (an operator's address, say) waits like all others. */
async function keepOut(edge: Edge): Promise<void> {
  const { BAN } = edge.env
  if (BAN === undefined) return
  try {
    const { prefix } = await edge.ban(edge.client.address, BAN, { reason: 'tries at the login' })
    edge.log.warn(`banned ${prefix} for ${BAN}`)
  } catch (error) {
    edge.log.warn((error as Error).message)
  }
}

/** Five in ten minutes: so long until one try is there again, where the other four follow. */
const EACH_MS = 120_000

function tooMany({ resetMs }: Taken): Response {
  const seconds = Math.max(1, Math.ceil((resetMs - 4 * EACH_MS) / 1000))
  return new Response('too many tries\n', {
    status: 429,
    headers: { 'content-type': 'text/plain', 'cache-control': 'no-store', 'retry-after': String(seconds) },
  })
}
