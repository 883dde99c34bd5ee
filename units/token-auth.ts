/**
 * Lets in those who bring the token, first by the query argument `token`, from then on by the cookie `superstition`.
 *
 * A player is given one address with the token; the playlists and segments that it loads after that carry the cookie.
 * The argument is taken out of the query, so that all who come share one copy in the cache.
 *
 * Environment: `TOKEN`, what to bring (`token` where it is not set).
 */
import type { Unit } from 'orla'

const COOKIE = 'superstition'

export default {
  paths: ['/hls/*'],
  access(request, response, edge) {
    const token = edge.env.TOKEN ?? 'token'
    // In a cookie, `;` and spaces would end the value.
    const remembered = encodeURIComponent(token)
    const given = request.query.get('token')
    if (given === null) {
      return request.cookies.get(COOKIE) === remembered ? undefined : forbidden()
    }
    if (given !== token) return forbidden()
    request.query.delete('token')
    response.headers.append('set-cookie', `${COOKIE}=${remembered}; Path=/; HttpOnly; SameSite=Lax`)
  },
} satisfies Unit

const forbidden = () =>
  new Response('forbidden\n', {
    status: 403,
    headers: { 'content-type': 'text/plain', 'cache-control': 'no-store' },
  })
