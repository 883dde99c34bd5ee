/** What a version decided in a phase, and how two decisions differ. Names alone are told: values may be secrets. */
import { PHASE_BITS, type FailureReason } from '../../contract/unit.ts'
import type { Trip, TripOutcome } from '../../contract/unit-runner.ts'
import type { HeaderList } from '../../wire/http1/message.ts'
import { NO_EDITS, parseEdits, parseFields, parseOriginEdits, type Edits, type HeaderEdit } from '../edits.ts'

export interface Verdict {
  readonly kind: 'passed' | 'answered' | 'failed'
  readonly reason?: FailureReason
  /** Undefined where they are not valid. */
  readonly edits: Edits | undefined
  readonly status: number
  readonly headers: HeaderList | undefined
  /** Undefined where it comes piece by piece. */
  readonly body: string | Uint8Array | undefined
}

export const UNTOUCHED: Verdict = {
  kind: 'passed',
  edits: NO_EDITS,
  status: 0,
  headers: [],
  body: '',
}

/** What the trip's step decided, and where in the edits of the trip its own begin; undefined where it did not run. */
export function verdictAt(
  trip: Trip,
  came: TripOutcome,
  at: number,
): { readonly verdict: Verdict; readonly editsStart: number } | undefined {
  if (came.kind !== 'next' && came.step < at) return undefined
  const editsStart = Math.max(0, ...came.runs.filter(({ step }) => step < at).map(({ editsEnd }) => editsEnd))
  const { phases } = trip.steps[at]!
  const isLast = came.kind !== 'next' && came.step === at
  if (isLast && came.kind === 'failed')
    return { verdict: { ...UNTOUCHED, kind: 'failed', reason: came.reason }, editsStart }
  const editsEnd = isLast ? undefined : came.runs.find(({ step }) => step === at)?.editsEnd
  const edits = readEdits(came.edits.slice(editsStart, editsEnd), phases)
  if (!isLast || came.kind !== 'response') return { verdict: { ...UNTOUCHED, edits }, editsStart }
  const { status, headers, body, stream } = came
  const verdict: Verdict = {
    kind: 'answered',
    edits,
    status,
    headers: parseFields(headers),
    body: stream === undefined ? body : undefined,
  }
  return { verdict, editsStart }
}

function readEdits(text: string, phases: number): Edits | undefined {
  const lines = withoutStates(text)
  if ((phases & PHASE_BITS.origin) !== 0) return parseOriginEdits(lines, 'origin')
  if ((phases & PHASE_BITS.originResponse) !== 0) return parseOriginEdits(lines, 'originResponse')
  return parseEdits(lines)
}

/** The edits less what units keep of the request for themselves: of one unit, or of all. */
export function withoutStates(edits: string, unit = ''): string {
  const prefix = unit === '' ? 'z ' : `z ${unit} `
  if (!edits.includes('z ')) return edits
  return edits
    .split('\n')
    .filter((line) => !line.startsWith(prefix))
    .join('\n')
}

/** `passed`, `answered 403`, `failed (throw)`. */
export const verdictText = ({ kind, status, reason }: Verdict): string =>
  kind === 'answered' ? `answered ${status}` : kind === 'failed' ? `failed (${reason})` : 'passed'

/** What is not the same in both; empty where they decided alike. */
export function differences(live: Verdict, next: Verdict): readonly string[] {
  if (live.kind !== next.kind) return ['decision']
  if (live.kind === 'failed') return live.reason === next.reason ? [] : ['reason']
  if (live.edits === undefined || next.edits === undefined)
    return live.edits === next.edits ? [] : ['edits that are not valid']
  const found = [...editDifferences(live.edits, next.edits)]
  if (live.kind === 'passed') return found
  if (live.status !== next.status) found.push('status')
  for (const name of otherNames(asEdits(live.headers ?? []), asEdits(next.headers ?? [])))
    found.push(`answer header ${name}`)
  if (live.body !== undefined && next.body !== undefined && !isSameBody(live.body, next.body))
    found.push('body')
  return found
}

function editDifferences(live: Edits, next: Edits): readonly string[] {
  const found = (['method', 'path', 'query', 'endpoint'] as const)
    .filter((what) => live.request?.[what] !== next.request?.[what])
    .map((what) => (what === 'endpoint' ? what : `request ${what}`))
  for (const name of otherNames(live.request?.headers ?? [], next.request?.headers ?? []))
    found.push(`request header ${name}`)
  if (live.status !== next.status) found.push('response status')
  if (live.ttlSeconds !== next.ttlSeconds) found.push('ttl')
  if (live.cacheKey !== next.cacheKey) found.push('cache key')
  for (const name of otherNames(live.headers, next.headers)) found.push(`response header ${name}`)
  return found
}

const asEdits = (headers: HeaderList): HeaderEdit[] =>
  Array.from({ length: headers.length / 2 }, (_, at) => {
    const spelling = headers[2 * at]!
    return { kind: 'append', name: spelling.toLowerCase(), spelling, value: headers[2 * at + 1]! }
  })

/** Names of headers that were not treated alike. */
function otherNames(live: readonly HeaderEdit[], next: readonly HeaderEdit[]): readonly string[] {
  const byName = (edits: readonly HeaderEdit[]) =>
    Map.groupBy(edits, ({ name }) => name) as ReadonlyMap<string, readonly HeaderEdit[]>
  const [a, b] = [byName(live), byName(next)]
  const text = (edits: readonly HeaderEdit[] = []) =>
    edits.map(({ kind, value }) => `${kind} ${value}`).join('\n')
  return [...new Set([...a.keys(), ...b.keys()])].filter((name) => text(a.get(name)) !== text(b.get(name)))
}

function isSameBody(a: string | Uint8Array, b: string | Uint8Array): boolean {
  if (typeof a === 'string' && typeof b === 'string') return a === b
  const bytes = (body: string | Uint8Array) => (typeof body === 'string' ? Buffer.from(body, 'utf8') : body)
  return Buffer.compare(bytes(a), bytes(b)) === 0
}
