/**
 * Words of a Corefile as lines with their blocks, as CoreDNS reads them. A line ends where its words do; `{` at its end opens a block, and `}` on a
 * line of its own closes it: `{ }` is the only block on one line.
 */
import type { CorefileLine, CorefileWord } from '../../contract/dns.ts'
import { CorefileError } from './corefile-error.ts'
import { isBrace, type Word } from './words.ts'

/** How deep blocks may stand in each other: nobody writes that, and reading them takes the stack. */
const DEPTH_MAX = 32

export interface ReadLines {
  readonly lines: CorefileLine[]
  /** Behind the closing brace, or behind all words. */
  readonly end: number
  readonly isClosed: boolean
}

/** Lines from `from` to the closing brace, or to the end of all. */
export function linesOf(words: readonly Word[], from = 0, depth = 0): ReadLines {
  const lines: CorefileLine[] = []
  let at = from
  while (at < words.length && !isBrace(words[at], '}')) {
    const name = words[at]!
    if (isBrace(name, '{'))
      throw new CorefileError(name, 'a line begins with "{": it belongs to the end of the line before')
    if (depth >= DEPTH_MAX) throw new CorefileError(name, `more than ${DEPTH_MAX} blocks stand in each other`)
    const args: CorefileWord[] = []
    at += 1
    for (; isOnLine(words[at]) && !isBrace(words[at], '{'); at++) {
      if (isBrace(words[at], '}')) throw strayBrace(words[at]!)
      args.push(words[at]!)
    }
    if (isBrace(words[at], '{') && !words[at]!.startsLine) {
      const opened = words[at]!
      const inner = linesOf(words, at + 1, depth + 1)
      if (!inner.isClosed)
        throw new CorefileError(
          opened,
          `the block of "${name.text}" is opened here and never closed: expected "}"`,
        )
      at = inner.end
      lines.push({ name, args, block: inner.lines })
      if (isOnLine(words[at]) && !isBrace(words[at], '}'))
        throw new CorefileError(
          words[at]!,
          `"${words[at]!.text}" stands behind "}": expected the end of the line`,
        )
      if (isOnLine(words[at])) throw strayBrace(words[at]!)
    } else lines.push({ name, args })
  }
  return { lines, end: at + 1, isClosed: at < words.length }
}

const isOnLine = (word: Word | undefined): boolean => word !== undefined && !word.startsLine

const strayBrace = (brace: CorefileWord): CorefileError =>
  new CorefileError(
    brace,
    `Unexpected '}' because no matching opening brace: what closes a block stands on a line of its own`,
  )
