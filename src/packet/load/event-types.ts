/**
 * Which types the events of a program have.
 *
 * The compiler says nothing of that: a ring buffer takes any bytes. The source does, where it fills one: `bpf_ringbuf_reserve(&events,
 * sizeof(*event), 0)`, with `struct event *event` before it. A pointer to the type, under a name of ours, is added to the end of the
 * source; so the type is in the object, and `eventTypeId` finds it.
 */
import { masked } from './bcc-source.ts'

/** Where a map is given what to send: the map, then the expression whose type it is. */
const PLACES: readonly RegExp[] = [
  /\bbpf_ringbuf_reserve\s*\(\s*&\s*(?<map>\w+)\s*,\s*sizeof\s*\(?\s*(?<what>\*?\s*(?:struct\s+)?\w+)/g,
  /\bbpf_ringbuf_output\s*\(\s*&\s*(?<map>\w+)\s*,\s*(?<what>&?\s*\w+)/g,
  /\bbpf_perf_event_output\s*\(\s*\w+\s*,\s*&\s*(?<map>\w+)\s*,[^,]*,\s*(?<what>&?\s*\w+)/g,
  /\b(?<map>\w+)\s*\.\s*ringbuf_reserve\s*\(\s*sizeof\s*\(?\s*(?<what>\*?\s*(?:struct\s+)?\w+)/g,
  /\b(?<map>\w+)\s*\.\s*ringbuf_output\s*\(\s*(?<what>&?\s*\w+)/g,
  /\b(?<map>\w+)\s*\.\s*perf_submit(?:_skb)?\s*\([^;]*?,\s*(?<what>&?\s*\w+)\s*,\s*sizeof/g,
]

/** Lines for the end of the source; empty where nothing is known. */
export function eventTypes(source: string): string {
  const code = masked(source)
  const found = new Map<string, string>()
  for (const place of PLACES) {
    for (const match of code.matchAll(place)) {
      const { map, what } = match.groups as { map: string; what: string }
      const type = typeOf(code, match.index, what)
      if (type !== undefined && !found.has(map)) found.set(map, type)
    }
  }
  const lines = [...found].map(([map, type]) => `${type} *const volatile orla_event_${map} = (${type} *)0;`)
  return lines.length === 0 ? '' : `\n${lines.join('\n')}\n`
}

/** `struct event`, of `*event`, `&event`, `event` or itself. */
function typeOf(code: string, before: number, what: string): string | undefined {
  if (/^struct\s/.test(what)) return isGlobal(code, what.replace(/^struct\s+/, '')) ? what : undefined
  const name = what.replace(/^[*&]\s*/, '')
  const declared = new RegExp(`\\b((?:struct\\s+)?[A-Za-z_]\\w*)\\s*[*\\s]\\s*${name}\\s*(?:[=;,]|\\[)`, 'g')
  const type = [...code.slice(0, before + what.length).matchAll(declared)]
    .map((match) => match[1]!.replace(/\s+/g, ' '))
    .findLast((known) => !/^(?:return|void|sizeof|else|goto|const)$/.test(known))
  if (type !== undefined) return type
  // `sizeof(event_t)`
  return new RegExp(`\\}\\s*${name}\\s*;|typedef[^;{]*\\b${name}\\s*;`).test(code) ? name : undefined
}

const isGlobal = (code: string, struct: string): boolean => new RegExp(`struct\\s+${struct}\\b`).test(code)
