/** Words of a Corefile as lines with their blocks. A line ends where its words do; `{` at its end opens a block. */
import type { CorefileLine, CorefileWord } from '../../contract/dns.ts'

const isBrace = (word: CorefileWord | undefined, brace: '{' | '}'): boolean =>
  word !== undefined && !word.isQuoted && word.text === brace

/** Lines from `from` to the closing brace, or to the end; `end` is behind it. */
export function linesOf(
  words: readonly CorefileWord[],
  from = 0,
): { readonly lines: CorefileLine[]; readonly end: number } {
  const lines: CorefileLine[] = []
  let at = from
  while (at < words.length && !isBrace(words[at], '}')) {
    const name = words[at]!
    const args: CorefileWord[] = []
    at += 1
    while (
      at < words.length &&
      words[at]!.line === name.line &&
      !isBrace(words[at], '{') &&
      !isBrace(words[at], '}')
    )
      args.push(words[at++]!)
    if (isBrace(words[at], '{') && words[at]!.line === name.line) {
      const inner = linesOf(words, at + 1)
      lines.push({ name, args, block: inner.lines })
      at = inner.end
    } else lines.push({ name, args })
  }
  return { lines, end: at + 1 }
}
