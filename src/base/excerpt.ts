/**
 * The line of a text that a problem speaks of, with a mark under the place: what a person looks at first.
 *
 *     3 |   "edge" 1
 *       |          ^
 *
 * `line` and `column` count from 1. Tabs become one space each, so that the mark stands where the eye expects it; of a
 * very long line a window around the place is shown.
 */
const WINDOW = 100

export function excerpt(text: string, line: number, column: number): string {
  const shown = text.split(/\r\n|\r|\n/, line)[line - 1]
  if (shown === undefined) return ''
  const from = column > WINDOW ? column - WINDOW / 2 : 0
  const window = shown.slice(from, from + WINDOW).replaceAll('\t', ' ')
  const gutter = String(line)
  return `${gutter} | ${window}\n${' '.repeat(gutter.length)} | ${' '.repeat(Math.max(0, column - 1 - from))}^`
}

/** Line and column, from 1, of an offset in a text. */
export function placeOf(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset).split(/\r\n|\r|\n/)
  return { line: before.length, column: before.at(-1)!.length + 1 }
}
