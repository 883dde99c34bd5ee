/**
 * A chunk of code as the module of a unit: the body of the handler of its phase, with `request`, `response`, `edge` and `redis_client` in scope.
 *
 * Its first line stays the first line, so that errors name the author's. The block within the function lets a chunk declare names of its own, such as `const response`. It is
 * an async handler only where it awaits: that costs a second crossing.
 */
import type { Phase } from '../contract/unit.ts'

/** What a handler is given, by phase: see `Unit` in `orla.d.ts`. */
const GIVEN: Readonly<Record<Phase, string>> = {
  rewrite: 'request, response, edge',
  access: 'request, response, edge',
  content: 'request, edge',
  origin: 'request, edge',
  originResponse: 'request, response, edge',
  headerFilter: 'request, response, edge',
  bodyFilter: 'chunk, isLast, request, response, edge',
  log: 'request, response, edge',
  timer: 'edge',
  dns: 'query, edge',
}

export function moduleOf(phase: Phase, code: string, awaits: boolean): string {
  const given = GIVEN[phase]
  const names = given.split(', ')
  // In every phase; what there is none of is undefined.
  const missing = ['request', 'response'].filter((name) => !names.includes(name))
  const start = `export default { ${awaits ? 'async ' : ''}${phase}(${given}) { const redis_client = edge.redis;`
  const undefinedNames = missing.map((name) => ` let ${name};`).join('')
  return `${start}${undefinedNames} {${code}\n}}}\n`
}
