/**
 * Sends a share of the clients to a new version of the site, and keeps each client on its side.
 *
 * The edge draws by `sample` and runs the unit for that share alone. It is sticky by the client's address here; where users
 * have a cookie that names them, `sample: { share: 0.05, by: 'cookie:session' }` follows them from one network to the next.
 * What runs is marked for the origin (`x-canary` in the request) and for whoever looks at answers (`x-canary` in the
 * response).
 *
 * Environment: `CANARY`, the mark (`canary` where it is not set). `CANARY_PREFIX`: put before the path, where the new
 * version is served from there: `/next`. The cache then keeps both versions apart; without it, it is the origin's to say
 * `Vary: x-canary`.
 */
import type { Unit } from 'orla'

export default {
  sample: { share: 0.1, by: 'address' },
  rewrite(request, response, edge) {
    const { CANARY = 'canary', CANARY_PREFIX = '' } = edge.env
    request.headers.set('x-canary', CANARY)
    response.headers.set('x-canary', CANARY)
    if (CANARY_PREFIX !== '') request.path = CANARY_PREFIX + request.path
  },
} satisfies Unit
