/**
 * Regular expressions in the syntax of Go (RE2), as files written for CoreDNS have them, made into those of JavaScript: for names and other
 * texts of one line.
 *
 * Go's never take longer than the text is long; those of JavaScript may take exponentially long. So V8 is told to go on with its linear engine
 * where one has gone back too often. That engine takes no flags but `s` and `m`, so what ignores case is written out as classes of both cases.
 * See https://github.com/google/re2/wiki/Syntax.
 */
import v8 from 'node:v8'
import { GoRegexError, GoRegexSyntax } from './go-regex-syntax.ts'

export { GoRegexError }

export interface GoMatch {
  /** The whole, then each group; a group that took no part is empty, as in Go. */
  readonly groups: readonly string[]
  /** Where the whole begins and ends. */
  readonly start: number
  readonly end: number
}

export class GoRegex {
  /** As it was written. */
  readonly source: string
  /** Names of groups by their number; empty for those without. */
  readonly names: readonly string[]
  readonly #regex: RegExp

  private constructor(source: string, names: readonly string[], regex: RegExp) {
    this.source = source
    this.names = names
    this.#regex = regex
  }

  /** Throws a `GoRegexError` that says what is wrong. */
  static compile(source: string): GoRegex {
    boundBacktracking()
    const translation = new GoRegexSyntax(source)
    const text = translation.translate()
    try {
      const regex = new RegExp(text)
      // Whether the linear engine takes it: only then is it bounded.
      if (!isLinear(text)) throw new Error(`it repeats groups too often: expected at most 16 times in all`)
      return new GoRegex(source, translation.names, regex)
    } catch (error) {
      throw new GoRegexError(`"${source}" is no regular expression: ${reasonOf(error)}`)
    }
  }

  test(text: string): boolean {
    return this.#regex.test(text)
  }

  /** The first place where it holds, the leftmost one. */
  match(text: string): GoMatch | undefined {
    const found = this.#regex.exec(text)
    if (!found) return undefined
    const groups = Array.from(found, (group: string | undefined) => group ?? '')
    return { groups, start: found.index, end: found.index + groups[0]!.length }
  }

  /**
   * A text with what groups held in the places of `$1`, `${1}`, `$name` and `${name}` (Go's `Expand`): a name is as long as it can be, one that is not
   * there is empty, and `$$` is a dollar sign.
   */
  expand(template: string, { groups }: GoMatch): string {
    return template.replace(
      /\$(?:(\$)|\{(\w+)\}|(\w+))/g,
      (_, dollar?: string, braced?: string, bare?: string) => {
        if (dollar !== undefined) return '$'
        const name = (braced ?? bare)!
        return (/^\d+$/.test(name) ? groups[Number(name)] : groups[this.names.indexOf(name)]) ?? ''
      },
    )
  }

  /** Every place where it holds with a template in its stead. */
  replaceAll(text: string, template: string): string {
    let result = ''
    let at = 0
    for (const found of text.matchAll(new RegExp(this.#regex, 'g'))) {
      const groups = Array.from(found, (group: string | undefined) => group ?? '')
      result += text.slice(at, found.index)
      at = found.index + groups[0]!.length
      result += this.expand(template, { groups, start: found.index, end: at })
    }
    return result + text.slice(at)
  }
}

/** How often V8 goes back before it takes the linear engine: some microseconds. */
const BACKTRACKS_MAX = 10_000
let isBounded = false

function boundBacktracking(): void {
  if (isBounded) return
  isBounded = true
  v8.setFlagsFromString('--enable-experimental-regexp-engine')
  v8.setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks')
  v8.setFlagsFromString(`--regexp-backtracks-before-fallback=${BACKTRACKS_MAX}`)
}

/** V8's own flag, there once its engine is. */
const LINEAR: string = 'l'

function isLinear(text: string): boolean {
  try {
    return RegExp(text, LINEAR).flags === LINEAR
  } catch {
    return false
  }
}

const reasonOf = (error: unknown): string =>
  (error as Error).message.replace(/^Invalid regular expression: .*: /, '').toLowerCase()
