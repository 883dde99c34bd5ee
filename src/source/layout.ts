/**
 * How units lie in Redis: a string `phase||code`, or `phase||code||share`, under a name of its own.
 *
 * The phase ends at the first `||`, so that code may hold others. A share follows only as a last `||` with digits right behind it, 1 to 100: any other
 * number there is code, such as that of `return limit||0`. Layout and names of phases are those of `edge-computing-resty`, whose units are Lua for OpenResty.
 */
import { nearest } from '../base/nearest.ts'
import { PHASES, type Phase } from '../contract/unit.ts'

export interface LaidOut {
  readonly phase: Phase
  readonly code: string
  /** Percent of the requests that run it, 1 to 100; absent: all. */
  readonly share?: number
}

export type LayoutResult = LaidOut | { readonly problem: string }

/** What is read of one value: more than a unit may be, so that a large one is told as such. */
export const VALUE_BYTES_MAX = 1024 * 1024

export const tooLong = (bytes: number): string => `it is ${bytes} bytes long, at most ${VALUE_BYTES_MAX}`

/** By nginx's names without `_by_lua…`, and by our own. `balancer` chooses who is asked, as `origin` does. */
const PHASE_OF: ReadonlyMap<string, Phase> = new Map<string, Phase>([
  ...PHASES.map((phase) => [phase, phase] as const),
  ['header_filter', 'headerFilter'],
  ['body_filter', 'bodyFilter'],
  ['balancer', 'origin'],
])

/** Of nginx, and nothing here: they belong to processes, to TLS, or to variables. */
const WITHOUT_COUNTERPART: ReadonlySet<string> = new Set([
  'init',
  'init_worker',
  'exit_worker',
  'ssl_cert',
  'ssl_certificate',
  'ssl_client_hello',
  'ssl_session_fetch',
  'ssl_session_store',
  'server_rewrite',
  'set',
  'preread',
])

/** What one value says, or what is wrong with it. */
export function parseLayout(text: string): LayoutResult {
  const end = text.indexOf('||')
  if (end < 0)
    return { problem: 'the value holds no `||`; it is to be `phase||code`, or `phase||code||share`' }
  const phase = parsePhase(text.slice(0, end))
  if (typeof phase !== 'string') return phase
  const rest = text.slice(end + 2)
  // A value that was read from a file ends with its last line break.
  const [tail = '', digits = ''] = /\|\|([1-9]\d?|100)\s*$/.exec(rest) ?? []
  const code = rest.slice(0, rest.length - tail.length)
  if (code.trim() === '') return { problem: 'there is no code behind the phase' }
  return { phase, code, ...(digits !== '' && { share: Number(digits) }) }
}

function parsePhase(given: string): Phase | { readonly problem: string } {
  const name = given.trim()
  const bare = name.replace(/_by_lua(?:_block|_file)?$/, '')
  const phase = PHASE_OF.get(bare)
  if (phase !== undefined) return phase
  if (WITHOUT_COUNTERPART.has(bare))
    return { problem: `the phase \`${name}\` of nginx has no counterpart: no request runs it here` }
  const shown = name.length > 40 ? `${name.slice(0, 40)}…` : name
  const guess = nearest(bare, [...PHASE_OF.keys()])
  const help =
    guess === undefined ? `known are ${[...PHASE_OF.keys()].join(', ')}` : `did you mean \`${guess}\`?`
  return { problem: `there is no phase \`${shown}\`: ${help}` }
}
