/**
 * A Corefile as words, cut as CoreDNS cuts them: by white space, `"…"` keeps it together (`\"` is a quote in there, any other backslash stays), `#`
 * begins a comment wherever it stands outside of quotes.
 *
 * Environment variables `{$NAME}` and `{%NAME%}` are replaced within a word, after words were cut: a value with spaces stays one word, and none can
 * add lines.
 */
import type { CorefileWord } from '../../contract/dns.ts'
import { CorefileError } from './corefile-error.ts'

/** A word that knows whether it is the first one of its line. */
export interface Word extends CorefileWord {
  readonly startsLine: boolean
}

const BYTE_ORDER_MARK = '\uFEFF'

export function wordsOf(text: string, file: string, env: Readonly<NodeJS.ProcessEnv>): Word[] {
  const words: Word[] = []
  let line = 1
  let at = text.startsWith(BYTE_ORDER_MARK) ? 1 : 0
  let startsLine = true
  while (at < text.length) {
    const character = text[at]!
    if (character === '\n') {
      line += 1
      startsLine = true
      at += 1
    } else if (isSpace(character)) at += 1
    else if (character === '#') at = endOfLine(text, at)
    else {
      const isQuoted = character === '"'
      const startLine = line
      let word = ''
      if (isQuoted) {
        for (at += 1; text[at] !== '"'; at++) {
          if (at >= text.length)
            throw new CorefileError(
              { file, line: startLine },
              'a quote is opened here and never closed: expected "',
            )
          if (text[at] === '\\' && text[at + 1] === '"') at += 1
          if (text[at] === '\n') line += 1
          word += text[at]
        }
        at += 1
      } else for (; at < text.length && !isSpace(text[at]!) && text[at] !== '#'; at++) word += text[at]
      // A carriage return within a word is none of it (`\r\n` ends it anyway).
      words.push({ text: withEnvironment(word, env), file, line: startLine, isQuoted, startsLine })
      startsLine = false
    }
  }
  return words
}

const isSpace = (character: string): boolean => /\s/.test(character)

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from)
  return end < 0 ? text.length : end
}

/** A variable that is not set is replaced by nothing, as CoreDNS does; what is no reference stays. */
export const withEnvironment = (word: string, env: Readonly<NodeJS.ProcessEnv>): string =>
  word.includes('{')
    ? word
        .replaceAll(/\{%([^}]+?)%\}/g, (_, name: string) => env[name] ?? '')
        .replaceAll(/\{\$([^}]+)\}/g, (_, name: string) => env[name] ?? '')
    : word

export const isBrace = (word: CorefileWord | undefined, brace: '{' | '}'): boolean =>
  word !== undefined && !word.isQuoted && word.text === brace
