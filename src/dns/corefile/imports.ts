/**
 * `import` in a Corefile: replaced by the words of a snippet, a file, or all files that a pattern with one wildcard names.
 *
 * Arguments behind it take the place of `{args[0]}` (or `{args.0}`) in what is imported; CoreDNS has none, so that each of its Corefiles means the same.
 */
import { globSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import type { CorefileWord } from '../../contract/dns.ts'
import { CorefileError } from './corefile-error.ts'
import { isBrace, type Word, wordsOf } from './words.ts'

/** How deep imports may lead into each other, and how many there may be. */
const DEPTH_MAX = 32
const IMPORTS_MAX = 1000
/** A Corefile with all that it imports. */
const WORDS_MAX = 1_000_000

export interface Imported {
  readonly words: Word[]
  /** Files that were read, absolute: a change of one is a change of the Corefile. */
  readonly files: string[]
  /** Patterns that match no file (yet), for the log. */
  readonly warnings: string[]
}

/** Where an import stands, and how it came there. */
interface Trail {
  readonly names: readonly string[]
}

/** All words with imports replaced; snippets are taken out. `folder` is what the paths of the first file are relative to. */
export function withImports(
  words: readonly Word[],
  folder: string,
  env: Readonly<NodeJS.ProcessEnv>,
): Imported {
  return new Importing(folder, env).run(words)
}

class Importing {
  readonly #snippets = new Map<string, Word[]>()
  readonly #out: Word[] = []
  readonly #files: string[] = []
  readonly #warnings: string[] = []
  readonly #folder: string
  readonly #env: Readonly<NodeJS.ProcessEnv>
  #depth = 0
  #imports = 0

  constructor(folder: string, env: Readonly<NodeJS.ProcessEnv>) {
    this.#folder = folder
    this.#env = env
  }

  run(words: readonly Word[]): Imported {
    this.#take(words, { names: [] }, this.#folder)
    return { words: this.#out, files: this.#files, warnings: this.#warnings }
  }

  #take(words: readonly Word[], trail: Trail, folder: string): void {
    for (let at = 0; at < words.length; at++) {
      const word = words[at]!
      const isFirst =
        word.startsLine || at === 0 || isBrace(words[at - 1], '{') || isBrace(words[at - 1], '}')
      if (isFirst && this.#depth === 0 && isSnippet(word, words[at + 1])) {
        at = this.#define(words, at)
        continue
      }
      if (isFirst && !word.isQuoted && word.text === 'import') {
        const args = argumentsBehind(words, at)
        at += args.length
        this.#import(word, args, trail, folder)
        continue
      }
      if (isBrace(word, '{')) this.#depth += 1
      else if (isBrace(word, '}')) this.#depth = Math.max(0, this.#depth - 1)
      if (this.#out.length >= WORDS_MAX)
        throw new CorefileError(
          word,
          `the Corefile has more than ${WORDS_MAX} words, with all that it imports`,
        )
      this.#out.push(word)
    }
  }

  /** Remembers `(name) { … }`; the place of its closing brace. */
  #define(words: readonly Word[], from: number): number {
    const name = words[from]!
    const known = name.text.slice(1, -1)
    if (this.#snippets.has(known))
      throw new CorefileError(name, `redeclaration of previously declared snippet ${known}`)
    let depth = 0
    let end = from + 1
    for (; end < words.length; end++) {
      if (isBrace(words[end], '{')) depth += 1
      if (isBrace(words[end], '}') && --depth === 0) break
    }
    if (end === words.length)
      throw new CorefileError(name, `the snippet ${known} is opened here and never closed: expected "}"`)
    this.#snippets.set(known, words.slice(from + 2, end))
    return end
  }

  #import(where: Word, args: readonly Word[], trail: Trail, folder: string): void {
    const [what, ...values] = args
    if (!what)
      throw new CorefileError(
        where,
        "Wrong argument count or unexpected line ending after 'import': expected a snippet, a file or a pattern",
      )
    if (what.text === '') throw new CorefileError(what, 'Import requires a non-empty filepath')
    this.#imports += 1
    if (this.#imports > IMPORTS_MAX)
      throw new CorefileError(where, `more than ${IMPORTS_MAX} imports: what is imported leads to itself`)
    const snippet = this.#snippets.get(what.text)
    if (snippet) return this.#enter(where, `(${what.text})`, snippet, values, trail, folder)
    // Relative to the file in which it stands.
    const from = isAbsolute(where.file) ? dirname(where.file) : folder
    for (const file of this.#filesNamed(what, from)) {
      this.#files.push(file)
      this.#enter(where, file, wordsOf(read(file, what), file, this.#env), values, trail, dirname(file))
    }
  }

  #enter(
    where: Word,
    name: string,
    words: readonly Word[],
    values: readonly CorefileWord[],
    trail: Trail,
    folder: string,
  ): void {
    const names = [...trail.names, name]
    if (trail.names.includes(name) || trail.names.length >= DEPTH_MAX) {
      const shown = names.map((one) => (one.startsWith('(') ? `snippet ${one.slice(1, -1)}` : basename(one)))
      throw new CorefileError(where, `an import leads to itself: ${shown.join(' → ')}`)
    }
    const used = new Set<number>()
    const taken = words.map((word) => withArguments(word, values, used))
    if (values.length > 0 && used.size === 0)
      throw new CorefileError(
        where,
        `Import takes only one argument (glob pattern or file): ${name} has no {args[0]} for "${values[0]!.text}"`,
      )
    const [first, ...rest] = taken
    if (first) this.#take([{ ...first, startsLine: true }, ...rest], { names }, folder)
  }

  #filesNamed(pattern: CorefileWord, folder: string): string[] {
    if (pattern.text.includes('\0')) throw new CorefileError(pattern, 'a path has no byte of zero')
    const path = isAbsolute(pattern.text) ? pattern.text : join(folder, pattern.text)
    const wildcards = path.match(/[*?]/g) ?? []
    if (wildcards.length > 1 || /\[.*\]/.test(path))
      throw new CorefileError(
        pattern,
        `Glob pattern may only contain one wildcard (*), but has others: ${path}`,
      )
    if (wildcards.length === 0) {
      if (statSync(path, { throwIfNoEntry: false })) return [resolve(path)]
      throw new CorefileError(
        pattern,
        `File to import not found: ${pattern.text}: there is neither a snippet (${pattern.text}) before this line nor a file ${path}`,
      )
    }
    const found = globSync(path).toSorted()
    if (found.length === 0) this.#warnings.push(`No files matching import glob pattern: ${pattern.text}`)
    return found.map((file) => resolve(file))
  }
}

function read(file: string, where: CorefileWord): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new CorefileError(
      where,
      `Could not import ${file}: ${code === 'EISDIR' ? 'is a directory' : message}`,
    )
  }
}

const isSnippet = (word: Word, next: Word | undefined): boolean =>
  !word.isQuoted &&
  word.text.length > 2 &&
  word.text.startsWith('(') &&
  word.text.endsWith(')') &&
  isBrace(next, '{')

function argumentsBehind(words: readonly Word[], at: number): Word[] {
  let end = at + 1
  while (end < words.length && !words[end]!.startsLine) end += 1
  return words.slice(at + 1, end)
}

function withArguments(word: Word, values: readonly CorefileWord[], used: Set<number>): Word {
  if (!word.text.includes('{args')) return word
  const text = word.text.replaceAll(
    /\{args(?:\[(\d{1,3})\]|\.(\d{1,3}))\}/g,
    (_, one?: string, other?: string) => {
      const index = Number(one ?? other)
      used.add(index)
      const value = values[index]
      if (!value)
        throw new CorefileError(
          word,
          `${word.text} has no value: the import gives ${values.length} arguments`,
        )
      return value.text
    },
  )
  return { ...word, text }
}
