/** Classes of characters of RE2: `[a-z]`, `[^[:digit:]]`, `\d`, `\x{41}`, as ranges. */

export type Range = readonly [from: number, to: number]

const LAST = 0xffff
const DIGITS: readonly Range[] = [[0x30, 0x39]]
const UPPER: Range = [0x41, 0x5a]
const LOWER: Range = [0x61, 0x7a]
const WORD: readonly Range[] = [...DIGITS, UPPER, [0x5f, 0x5f], LOWER]
/** As Go has it: without the vertical tab and what else JavaScript takes for white space. */
const SPACE: readonly Range[] = [
  [0x09, 0x0a],
  [0x0c, 0x0d],
  [0x20, 0x20],
]

const PERL: Readonly<Record<string, readonly Range[]>> = { d: DIGITS, w: WORD, s: SPACE }

const POSIX: Readonly<Record<string, readonly Range[]>> = {
  alnum: [...DIGITS, UPPER, LOWER],
  alpha: [UPPER, LOWER],
  ascii: [[0, 0x7f]],
  blank: [
    [0x09, 0x09],
    [0x20, 0x20],
  ],
  cntrl: [
    [0, 0x1f],
    [0x7f, 0x7f],
  ],
  digit: DIGITS,
  graph: [[0x21, 0x7e]],
  lower: [LOWER],
  print: [[0x20, 0x7e]],
  punct: [
    [0x21, 0x2f],
    [0x3a, 0x40],
    [0x5b, 0x60],
    [0x7b, 0x7e],
  ],
  space: [
    [0x09, 0x0d],
    [0x20, 0x20],
  ],
  upper: [UPPER],
  word: WORD,
  xdigit: [...DIGITS, [0x41, 0x46], [0x61, 0x66]],
}

const CONTROLS: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 }

export interface ReadRanges {
  readonly ranges: readonly Range[]
  readonly end: number
}

/** From the backslash on; a sentence where it is none that RE2 has. */
export function rangesOfEscape(source: string, at: number): ReadRanges | string {
  const next = source[at + 1]
  if (next === undefined) return 'trailing backslash at end of expression'
  const perl = PERL[next.toLowerCase()]
  if (perl) return { ranges: next === next.toLowerCase() ? perl : others(perl), end: at + 2 }
  const control = CONTROLS[next]
  if (control !== undefined) return { ranges: [[control, control]], end: at + 2 }
  const [whole, short, long, octal] =
    /^(?:x([0-9a-fA-F]{2})|x\{([0-9a-fA-F]{1,6})\}|(0[0-7]{0,2}|[1-7][0-7]{1,2}))/.exec(
      source.slice(at + 1, at + 12),
    ) ?? []
  if (whole !== undefined) {
    const code = octal === undefined ? Number.parseInt((short ?? long)!, 16) : Number.parseInt(octal, 8)
    if (code > LAST) return `\\${whole} is beyond the characters that can be matched`
    return { ranges: [[code, code]], end: at + 1 + whole.length }
  }
  if (next === 'p' || next === 'P') return 'classes of Unicode (\\p) are not supported: names are bytes'
  if (/[a-zA-Z0-9]/.test(next)) return `invalid escape sequence: \\${next}`
  const code = next.charCodeAt(0)
  return { ranges: [[code, code]], end: at + 2 }
}

/** From the opening bracket on. */
export function classOf(source: string, at: number): (ReadRanges & { readonly isNegated: boolean }) | string {
  const isNegated = source[at + 1] === '^'
  const first = at + (isNegated ? 2 : 1)
  const ranges: Range[] = []
  let index = first
  while (source[index] !== ']' || index === first) {
    if (index >= source.length) return 'missing closing ]'
    const [whole, negation, name] = /^\[:(\^?)(\w+):\]/.exec(source.slice(index, index + 16)) ?? []
    if (whole !== undefined) {
      const named = POSIX[name!]
      if (!named) return `invalid character class: ${whole}`
      ranges.push(...(negation === '^' ? others(named) : named))
      index += whole.length
      continue
    }
    const from = oneOf(source, index)
    if (typeof from === 'string') return from
    index = from.end
    const isRange = source[index] === '-' && source[index + 1] !== ']' && from.ranges.length === 1
    if (!isRange || from.ranges[0]![0] !== from.ranges[0]![1]) {
      ranges.push(...from.ranges)
      continue
    }
    if (index + 1 >= source.length) return 'missing closing ]'
    const to = oneOf(source, index + 1)
    if (typeof to === 'string') return to
    const range: Range = [from.ranges[0]![0], to.ranges[0]![1]]
    if (to.ranges.length !== 1 || range[0] > range[1])
      return `invalid character class range: ${source.slice(index - 1, to.end)}`
    ranges.push(range)
    index = to.end
  }
  return { ranges, isNegated, end: index + 1 }
}

function oneOf(source: string, at: number): ReadRanges | string {
  if (source[at] === '\\') return rangesOfEscape(source, at)
  const code = source.charCodeAt(at)
  return { ranges: [[code, code]], end: at + 1 }
}

/** All characters that are in none of them. */
function others(ranges: readonly Range[]): Range[] {
  const gaps: Range[] = []
  let from = 0
  for (const [start, end] of ranges.toSorted(([one], [other]) => one - other)) {
    if (start > from) gaps.push([from, start - 1])
    from = Math.max(from, end + 1)
  }
  if (from <= LAST) gaps.push([from, LAST])
  return gaps
}

/** As JavaScript writes it. With `ignoresCase`, letters stand there in both cases. */
export function rangesSource(ranges: readonly Range[], isNegated: boolean, ignoresCase: boolean): string {
  const all = ignoresCase ? ranges.flatMap((range) => [range, ...inOtherCase(range)]) : ranges
  const text = all
    .map(([from, to]) => (from === to ? escaped(from) : `${escaped(from)}-${escaped(to)}`))
    .join('')
  if (!isNegated && all.length === 1 && all[0]![0] === all[0]![1]) return text
  return `[${isNegated ? '^' : ''}${text}]`
}

function inOtherCase([from, to]: Range): Range[] {
  const swapped: Range[] = []
  for (const [[start, end], shift] of [
    [UPPER, 0x20],
    [LOWER, -0x20],
  ] as const) {
    const least = Math.max(from, start)
    const most = Math.min(to, end)
    if (least <= most) swapped.push([least + shift, most + shift])
  }
  return swapped
}

const escaped = (code: number): string => `\\u${code.toString(16).padStart(4, '0')}`
