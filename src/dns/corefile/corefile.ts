/** A Corefile whole: its server blocks, and the plugins from outside that it names. */
import { dirname, resolve } from 'node:path'
import type { CorefileLine, CorefileWord } from '../../contract/dns.ts'
import { CorefileError } from './corefile-error.ts'
import { withImports } from './imports.ts'
import { linesOf } from './lines.ts'
import { isBrace, type Word, wordsOf } from './words.ts'

export interface CorefileSource {
  readonly text: string
  /** As it is named in errors; relative to `folder`. */
  readonly file: string
  /** What `file` begins at. Paths in it begin where it lies itself. */
  readonly folder: string
}

export interface CorefileBlock {
  /** At least one. */
  readonly keys: readonly CorefileWord[]
  readonly lines: readonly CorefileLine[]
}

export interface Corefile {
  readonly blocks: readonly CorefileBlock[]
  /** `plugin NAME FILE …` outside of the blocks. */
  readonly plugins: readonly CorefileLine[]
  /** Files that it imports, absolute. */
  readonly files: readonly string[]
  readonly warnings: readonly string[]
}

/** Throws a `CorefileError` where it cannot be read. */
export function readCorefile(source: CorefileSource, env: Readonly<NodeJS.ProcessEnv>): Corefile {
  const folder = dirname(resolve(source.folder, source.file))
  const imported = withImports(wordsOf(source.text, source.file, env), folder, env)
  const { words, files, warnings } = imported
  const blocks: CorefileBlock[] = []
  const plugins: CorefileLine[] = []
  for (let at = 0; at < words.length;) {
    const line = pluginLine(words, at)
    if (line) {
      plugins.push(line)
      at += 1 + line.args.length
      continue
    }
    const read = blockAt(words, at)
    at = read.end
    if (read.block) blocks.push(read.block)
  }
  return { blocks, plugins, files, warnings }
}

/** `plugin foo ./foo.ts …`, outside of blocks: a zone is never named so, with words behind it and no block. */
function pluginLine(words: readonly Word[], from: number): CorefileLine | undefined {
  const name = words[from]!
  if (name.isQuoted || name.text !== 'plugin') return undefined
  let end = from + 1
  while (end < words.length && !words[end]!.startsLine) end += 1
  const args = words.slice(from + 1, end)
  return args.length >= 2 && !isBrace(args.at(-1), '{') ? { name, args } : undefined
}

function blockAt(
  words: readonly Word[],
  from: number,
): { readonly block?: CorefileBlock; readonly end: number } {
  const first = words[from]!
  const keys: CorefileWord[] = []
  let at = from
  let isAnotherExpected = false
  for (; at < words.length && !isBrace(words[at], '{'); at++) {
    const word = words[at]!
    if (isBrace(word, '}')) throw new CorefileError(word, `Unexpected '}' because no matching opening brace`)
    if (at > from && word.startsLine && !isAnotherExpected) break
    isAnotherExpected = word.text.endsWith(',')
    const text = isAnotherExpected ? word.text.slice(0, -1) : word.text
    if (text !== '') keys.push({ ...word, text })
  }
  const brace = words[at]
  if (isAnotherExpected)
    throw new CorefileError(
      brace ?? words.at(-1)!,
      brace
        ? `Expected another address but had '${brace.text}' - check for extra comma`
        : 'Unexpected EOF: expected another zone behind the comma',
    )
  // A Corefile of one server needs no braces: all that follows is its own.
  const isOpened = isBrace(brace, '{')
  const { lines, end, isClosed } = linesOf(words, isOpened ? at + 1 : at)
  if (isOpened && !isClosed)
    throw new CorefileError(brace!, `the server block is opened here and never closed: expected "}"`)
  if (!isOpened && isClosed)
    throw new CorefileError(words[end - 1]!, `Unexpected '}' because no matching opening brace`)
  if (isOpened && !isOnOwnLine(words, at, end - 1))
    throw new CorefileError(
      words[end - 1]!,
      `Unexpected '}' because no matching opening brace: what closes a block stands on a line of its own`,
    )
  if (keys.length > 0) return { block: { keys, lines }, end }
  if (lines.length === 0) return { end }
  throw new CorefileError(
    first,
    'a server block has no zone: expected one in front of "{", such as "." for all names',
  )
}

/** The closing brace begins its line, or stands right behind the opening one. */
const isOnOwnLine = (words: readonly Word[], opened: number, closed: number): boolean =>
  words[closed]!.startsLine || closed === opened + 1
