/**
 * Shows each visitor one of several variants of a site, always the same one: an A/B test by cookie.
 *
 * Who comes for the first time draws a variant by its weight, and is given a cookie that remembers it. The origin is told in the
 * request header `x-variant`. A variant with a prefix is served from there, and the cache keeps it apart by its path; without
 * prefixes it is the origin's to say `Vary: x-variant`. Caches between here and the visitor see one address with several answers, so all
 * of them say `Vary: Cookie`.
 *
 * Environment: `VARIANTS`, names with weights and prefixes: `control=80, new=20:/next` (`a=50, b=50` where it is not set). A weight of 0
 * takes no newcomers. `COOKIE`, its name (`ab`). `DAYS`, how long it lasts (30).
 */
import type { Unit } from 'orla'

export default {
  // After units that refuse: who is not let in takes no part.
  priority: -10,
  rewrite(request, response, edge) {
    const { VARIANTS = 'a=50, b=50', COOKIE = 'ab', DAYS = '30' } = edge.env
    if (!/^[\w-]+$/.test(COOKIE))
      throw new Error(`COOKIE is "${COOKIE}"; expected a name of letters, digits, - and _`)
    if (!/^\d+$/.test(DAYS)) throw new Error(`DAYS is "${DAYS}"; expected a number of days`)
    if (VARIANTS !== compiled.text) compiled = { text: VARIANTS, variants: parseVariants(VARIANTS) }
    const { variants } = compiled
    const remembered = request.cookies.get(COOKIE)
    const known = variants.find(({ name }) => name === remembered)
    const variant = known ?? draw(variants, Math.random())
    request.headers.set('x-variant', variant.name)
    response.headers.append('vary', 'cookie')
    if (variant.prefix !== '') request.path = variant.prefix + request.path
    if (known) return
    const seconds = Number(DAYS) * 86_400
    response.headers.append(
      'set-cookie',
      `${COOKIE}=${variant.name}; Path=/; Max-Age=${seconds}; SameSite=Lax`,
    )
  },
} satisfies Unit

interface Variant {
  readonly name: string
  readonly weight: number
  readonly prefix: string
}

/** The list is taken apart once, not at every request. */
let compiled: { readonly text: string; readonly variants: readonly Variant[] } = { text: '', variants: [] }

function parseVariants(text: string): Variant[] {
  const variants = text.split(',').map((entry) => {
    const [, name = '', weight, prefix = ''] = /^([\w-]+)=(\d+)(?::(\/\S*[^/\s]))?$/.exec(entry.trim()) ?? []
    if (name === '')
      throw new Error(`VARIANTS holds "${entry.trim()}"; a variant is NAME=WEIGHT or NAME=WEIGHT:/PREFIX`)
    return { name, weight: Number(weight), prefix }
  })
  if (variants.every(({ weight }) => weight === 0))
    throw new Error('VARIANTS has no variant whose weight is above 0')
  return variants
}

/** `at` is from 0 up to 1. */
function draw(variants: readonly Variant[], at: number): Variant {
  let left = at * variants.reduce((sum, { weight }) => sum + weight, 0)
  return variants.find(({ weight }) => (left -= weight) < 0) ?? variants[0]!
}
