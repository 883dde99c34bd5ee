/** Parts of a file that a client asks for (RFC 9110 §14). */

export interface Range {
  readonly start: number
  /** Before this byte it ends. */
  readonly end: number
}

export type Ranges =
  /** The whole: nothing was asked for, or nothing that is understood or sensible. */
  | { readonly kind: 'whole' }
  | { readonly kind: 'parts'; readonly parts: readonly Range[] }
  /** 416. */
  | { readonly kind: 'unsatisfiable' }

const WHOLE = { kind: 'whole' } as const
/** More parts than anyone needs are an attack: each costs a head. */
const PARTS_MAX = 32

export function parseRanges(field: string | undefined, size: number): Ranges {
  if (field === undefined) return WHOLE
  const specs = /^bytes=(.+)$/i.exec(field.trim())?.[1]?.split(',')
  if (specs === undefined || specs.length > PARTS_MAX) return WHOLE
  const parts: Range[] = []
  for (const spec of specs) {
    const [, first, last] = /^\s*(\d*)-(\d*)\s*$/.exec(spec) ?? []
    if (first === undefined || last === undefined || (first === '' && last === '')) return WHOLE
    const range = first === '' ? suffix(Number(last), size) : between(Number(first), last, size)
    if (range === 'invalid') return WHOLE
    if (range !== undefined) parts.push(range)
  }
  if (parts.length === 0) return { kind: 'unsatisfiable' }
  // §14.2: who asks for more than all of it gets it once.
  const asked = parts.reduce((sum, { start, end }) => sum + end - start, 0)
  if (size === 0 || (parts.length > 1 && asked > size)) return WHOLE
  return { kind: 'parts', parts }
}

/** Undefined: of this file there is no such part. */
function suffix(length: number, size: number): Range | undefined {
  return length === 0 ? undefined : { start: Math.max(0, size - length), end: size }
}

function between(start: number, last: string, size: number): Range | undefined | 'invalid' {
  if (last !== '' && Number(last) < start) return 'invalid'
  if (start >= size) return undefined
  return { start, end: last === '' ? size : Math.min(size, Number(last) + 1) }
}

export const contentRange = ({ start, end }: Range, size: number): string =>
  `bytes ${start}-${end - 1}/${size}`
