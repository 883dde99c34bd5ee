/**
 * Regular expressions in the syntax of Go (RE2), as files written for CoreDNS have them, made into those of JavaScript: for names and other
 * texts of one line.
 *
 * Go's never take longer than the text is long; those of JavaScript may take exponentially long. So they run in V8's linear engine, but for those with
 * so few choices that there is little to go back to: the usual engine takes a fifth of a microsecond for one where the linear one takes some. (V8 can fall
 * back from the one to the other by itself; measured, it does so too late for `(?:a?){100}a{100}`.) The linear engine takes no flags but `s` and `m`, so
 * what ignores case is written out as classes of both cases.
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
    if (!isLinearEngineOn) v8.setFlagsFromString('--enable-experimental-regexp-engine')
    isLinearEngineOn = true
    const translation = new GoRegexSyntax(source)
    const text = translation.translate()
    try {
      const regex = new RegExp(text)
      // Whether the linear engine takes it: only then is it bounded.
      if (!isLinear(text)) throw new Error(`it repeats groups too often: expected at most 16 times in all`)
      return new GoRegex(source, translation.names, hasFewChoices(text) ? regex : RegExp(text, LINEAR))
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

/** Changes nothing for other expressions: it only lets them have the flag of the linear engine. */
let isLinearEngineOn = false

/** V8's own flag, there once its engine is. */
const LINEAR: string = 'l'

function isLinear(text: string): boolean {
  try {
    return RegExp(text, LINEAR).flags === LINEAR
  } catch {
    return false
  }
}

/** One repetition or alternative for each place of the text, or two where there is one place to begin: on a name, some thousand steps at worst. */
function hasFewChoices(text: string): boolean {
  const bare = text
    .replaceAll(/\\./g, '_')
    .replaceAll(/\[[^\]]*\]/g, '_')
    .replaceAll(/\(\?(?::|<\w+>)/g, '(')
  const choices = bare.match(/[*+?|{]/g)?.length ?? 0
  return choices <= (/^\^[^|]*$/.test(bare) ? 2 : 1) && !/[*+?}]\)*[*+?{]/.test(bare)
}

const reasonOf = (error: unknown): string =>
  (error as Error).message.replace(/^Invalid regular expression: .*: /, '').toLowerCase()
