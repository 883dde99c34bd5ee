/** Says hello, without cache and origin: the smallest unit that answers. `?name=` says to whom. */
import type { Unit } from 'orla'

export default {
  paths: ['/hello'],
  content(request) {
    const name = request.query.get('name') ?? 'edge'
    return new Response(`hello ${name}\n`, { headers: { 'content-type': 'text/plain; charset=utf-8' } })
  },
} satisfies Unit
