/**
 * Lets in requests that come from pages of known hosts, against embedding elsewhere. A missing `Referer` is refused: a
 * page can leave it out at will.
 *
 * It keeps out embedding, not attackers: whoever writes their own requests writes this header too.
 *
 * Environment: `REFERERS`, hosts with commas between them: `example.org, *.example.org`. Without it nobody is let in.
 */
import type { Unit } from 'orla'

export default {
  access(request, response, edge) {
    const referer = request.headers.get('referer')
    const host = referer === null ? undefined : URL.parse(referer)?.hostname
    if (!host || !isAllowed(host, edge.env.REFERERS ?? '')) {
      return new Response('forbidden\n', { status: 403, headers: { 'content-type': 'text/plain' } })
    }
  },
} satisfies Unit

const isAllowed = (host: string, list: string): boolean =>
  list.split(',').some((entry) => {
    const pattern = entry.trim().toLowerCase()
    if (!pattern.startsWith('*.')) return pattern === host
    return host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1
  })
