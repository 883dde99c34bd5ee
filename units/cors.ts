/**
 * Lets pages of other origins use what is served here (Fetch standard, CORS): answers preflights, and marks answers.
 *
 * Environment: `ORIGINS`, origins with commas between them (`https://app.example, https://admin.example`), or `*` for all,
 * which is the default. `METHODS` and `HEADERS`: what a page may send, besides what it always may. `CREDENTIALS=yes` lets
 * cookies travel; then origins must be named. `MAX_AGE`: seconds for which a browser remembers a preflight.
 */
import type { Unit } from 'orla'

export default {
  access(request, response, edge) {
    const { ORIGINS = '*', METHODS, HEADERS, CREDENTIALS, MAX_AGE = '600' } = edge.env
    const origin = request.headers.get('origin')
    const isOpen = ORIGINS.trim() === '*'
    if (isOpen && CREDENTIALS === 'yes')
      throw new Error('with CREDENTIALS=yes, ORIGINS must name the origins')
    // What is sent depends on the origin, so a cache behind us must keep the answers apart, also those without one.
    if (!isOpen) response.headers.append('vary', 'origin')
    if (origin === null || !(isOpen || ORIGINS.split(',').some((entry) => entry.trim() === origin))) return

    response.headers.set('access-control-allow-origin', isOpen ? '*' : origin)
    if (CREDENTIALS === 'yes') response.headers.set('access-control-allow-credentials', 'true')
    if (request.method !== 'OPTIONS' || !request.headers.has('access-control-request-method')) return

    const headers = new Headers({
      'access-control-allow-methods': METHODS ?? 'GET, HEAD, POST',
      'access-control-max-age': MAX_AGE,
    })
    if (HEADERS !== undefined) headers.set('access-control-allow-headers', HEADERS)
    return new Response(null, { status: 204, headers })
  },
} satisfies Unit
