/** Parts of a representation that a client asks for (RFC 9110 §14): of a file, and of what is stored. */

export interface Range {
  readonly start: number
  /** Before this byte it ends. */
  readonly end: number
}

export type Ranges =
  /** The whole: nothing was asked for, or nothing that is understood or sensible. */
  | { readonly kind: 'whole' }
  /** One at least, none twice: in the order in which they were asked for, or by place where some overlapped. */
  | { readonly kind: 'parts'; readonly parts: readonly Range[] }
  /** 416. */
  | { readonly kind: 'unsatisfiable' }

/** One `range-spec`, before anybody knows how much there is (RFC 9110 §14.1.1). */
export type RangeSpec =
  /** `last` is the last byte itself; undefined: all that follows. */
  | { readonly kind: 'from'; readonly first: number; readonly last: number | undefined }
  /** The last so many bytes. */
  | { readonly kind: 'suffix'; readonly bytes: number }

const WHOLE = { kind: 'whole' } as const
/** More parts than anyone needs are an attack: each costs a head. */
const PARTS_MAX = 32

/** What the field asks for; undefined where that is not understood, or absurd, and the field is to be as if it were absent (§14.2). */
export function parseRangeSpecs(field: string | undefined): readonly RangeSpec[] | undefined {
  if (field === undefined) return undefined
  const texts = /^bytes=(.+)$/i.exec(field.trim())?.[1]?.split(',')
  if (texts === undefined || texts.length > PARTS_MAX) return undefined
  const specs: RangeSpec[] = []
  for (const text of texts) {
    const [, first, last] = /^\s*(\d*)-(\d*)\s*$/.exec(text) ?? []
    if (first === undefined || last === undefined || (first === '' && last === '')) return undefined
    if (first === '') {
      specs.push({ kind: 'suffix', bytes: Number(last) })
    } else {
      if (last !== '' && Number(last) < Number(first)) return undefined
      specs.push({ kind: 'from', first: Number(first), last: last === '' ? undefined : Number(last) })
    }
  }
  return specs
}

export function parseRanges(field: string | undefined, size: number): Ranges {
  const specs = parseRangeSpecs(field)
  return specs === undefined ? WHOLE : resolveRanges(specs, size)
}

/** What the specs mean of a representation of so many bytes. */
function resolveRanges(specs: readonly RangeSpec[], size: number): Ranges {
  const parts: Range[] = []
  for (const spec of specs) {
    const range = resolveSpec(spec, size)
    if (range !== undefined) parts.push(range)
  }
  if (parts.length === 0) return { kind: 'unsatisfiable' }
  // §14.2: who asks for more than all of it gets it once.
  const asked = parts.reduce((sum, { start, end }) => sum + end - start, 0)
  if (size === 0 || (parts.length > 1 && asked > size)) return WHOLE
  return { kind: 'parts', parts: combined(parts) }
}

/** Undefined: there is no such part. */
export function resolveSpec(spec: RangeSpec, size: number): Range | undefined {
  if (spec.kind === 'suffix')
    return spec.bytes === 0 ? undefined : { start: Math.max(0, size - spec.bytes), end: size }
  const { first, last } = spec
  if (first >= size) return undefined
  return { start: first, end: last === undefined ? size : Math.min(size, last + 1) }
}

/**
 * §15.3.7.2: parts that overlap or touch may be sent as one, and then lie by place; all others come in the order in which they were
 * asked for.
 */
function combined(parts: readonly Range[]): readonly Range[] {
  if (parts.length === 1) return parts
  const joined: Range[] = []
  for (const part of parts.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    const last = joined.at(-1)
    if (last !== undefined && part.start <= last.end)
      joined[joined.length - 1] = { start: last.start, end: Math.max(last.end, part.end) }
    else joined.push(part)
  }
  return joined.length === parts.length ? parts : joined
}

export const contentRange = ({ start, end }: Range, size: number): string =>
  `bytes ${start}-${end - 1}/${size}`

/** For 416 (§15.5.17). */
export const unsatisfiedRange = (size: number): string => `bytes */${size}`

/** A range, and how much there is in all. */
export interface ContentRange extends Range {
  readonly size: number
}

/** `Content-Range` of a part (§14.4). Undefined where it is none, or does not say how much there is in all. */
export function parseContentRange(field: string | undefined): ContentRange | undefined {
  const [, first, last, size] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/i.exec(field?.trim() ?? '') ?? []
  if (first === undefined) return undefined
  const range = { start: Number(first), end: Number(last) + 1, size: Number(size) }
  return range.start < range.end && range.end <= range.size ? range : undefined
}
