/**
 * Sends clients elsewhere, by a list of paths.
 *
 * Environment: `REDIRECTS`, one rule a line (or with `;` between them): from, to, and the status where it is not 308.
 * A `*` at the end of both stands for the rest of the path. The first rule that fits counts; the query goes along.
 *
 *     /old       /new               301
 *     /blog/*    https://blog.example.org/*
 */
import type { Unit } from 'orla'

export default {
  rewrite(request, response, edge) {
    const list = edge.env.REDIRECTS ?? ''
    if (list !== compiled.list) compiled = { list, rules: parseRules(list) }
    for (const rule of compiled.rules) {
      const to = target(rule, request.path)
      if (to === undefined) continue
      const query = request.query.toString()
      const joint = query === '' ? '' : to.includes('?') ? '&' : '?'
      return Response.redirect(to + joint + query, rule.status)
    }
  },
} satisfies Unit

interface Rule {
  readonly from: string
  readonly to: string
  readonly status: number
}

let compiled: { readonly list: string; readonly rules: readonly Rule[] } = { list: '', rules: [] }

function parseRules(list: string): Rule[] {
  return list
    .split(/[\n;]/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const [from = '', to, status = '308', more] = line.split(/\s+/)
      const isWhole =
        to !== undefined && more === undefined && from.startsWith('/') && /^30[12378]$/.test(status)
      if (!isWhole) throw new Error(`REDIRECTS holds "${line}", which is no rule: from, to, status`)
      return { from, to, status: Number(status) }
    })
}

function target({ from, to }: Rule, path: string): string | undefined {
  if (!from.endsWith('*')) return path === from ? to : undefined
  const prefix = from.slice(0, -1)
  if (!path.startsWith(prefix)) return undefined
  const rest = path.slice(prefix.length)
  if (!to.endsWith('*')) return to
  // `/old/*` to `/*` must not make `//evil.example` of `/old//evil.example`: browsers read that as a host.
  const start = to.slice(0, -1)
  return start === '/' ? `/${rest.replace(/^[/\\]+/, '')}` : start + rest
}
