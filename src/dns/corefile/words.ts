/**
 * A Corefile as words: separated by white space, `"…"` keeps it together (`\"` is a quote in there), `#` begins a comment where a word would begin.
 * Environment variables `{$NAME}` and `{%NAME%}` are replaced by their values before words are cut.
 */
import type { CorefileWord } from '../../contract/dns.ts'

export function wordsOf(text: string, file: string, env: Readonly<NodeJS.ProcessEnv>): CorefileWord[] {
  const source = text.replace(
    /\{\$(\w+)\}|\{%(\w+)%\}/g,
    (_, unix?: string, dos?: string) => env[(unix ?? dos)!] ?? '',
  )
  const words: CorefileWord[] = []
  let line = 1
  let at = source.startsWith('\uFEFF') ? 1 : 0
  while (at < source.length) {
    const character = source[at]!
    if (character === '\n') line += 1
    if (/\s/.test(character)) at += 1
    else if (character === '#') while (at < source.length && source[at] !== '\n') at += 1
    else {
      const startLine = line
      const isQuoted = character === '"'
      let word = ''
      if (isQuoted) {
        for (at += 1; at < source.length && source[at] !== '"'; at++) {
          if (source[at] === '\\' && source[at + 1] === '"') at += 1
          if (source[at] === '\n') line += 1
          word += source[at]
        }
        at += 1
      } else for (; at < source.length && !/\s/.test(source[at]!); at++) word += source[at]
      words.push({ text: word, file, line: startLine, isQuoted })
    }
  }
  return words
}
