/**
 * Regular expressions as Go has them (RE2), as Corefiles are full of them: read here, and written as one of JavaScript.
 *
 * RE2 has nothing that needs backtracking, so it can be matched in time that grows with the text alone, whatever the expression: V8 has an engine that
 * does that, behind the flag `l`, and all expressions have to be ones for that engine. Neither `(a+)+$` nor whoever chooses the text can hold up a
 * server. It takes some microseconds where the usual engine takes a fifth of one, so that one runs expressions with so few choices that there is
 * little to go back to. (V8 can also fall back from the one to the other by itself; measured, it does so too late for some expressions.)
 */
import { setFlagsFromString } from 'node:v8'
import { GoRegexError, translateGoRegex } from './go-regex-syntax.ts'

export { GoRegexError }

/** Without it V8 takes no flag `l`. It changes nothing for other expressions. */
const LINEAR_ENGINE = '--enable-experimental-regexp-engine'
let isLinearEngineOn = false

export class GoRegex {
  /** As it was written. */
  readonly source: string
  /** How many groups it captures. */
  readonly groups: number
  readonly #expression: RegExp

  /** Throws a `GoRegexError` that says what is wrong. */
  constructor(source: string) {
    const { translated, groups, isSimple } = translateGoRegex(source)
    this.source = source
    this.groups = groups
    if (!isLinearEngineOn) setFlagsFromString(LINEAR_ENGINE)
    isLinearEngineOn = true
    try {
      const linear = new RegExp(translated, 'l')
      this.#expression = isSimple ? new RegExp(translated) : linear
    } catch {
      throw new GoRegexError(`${shown(source)} is too large: repeat less, or fewer groups`)
    }
  }

  /** What it matches first in the text, with its groups; null where it does not. */
  exec(text: string): RegExpExecArray | null {
    return this.#expression.exec(text)
  }

  matches(text: string): boolean {
    return this.#expression.test(text)
  }
}

const shown = (source: string): string =>
  `the regular expression '${source.length > 80 ? `${source.slice(0, 80)}…` : source}'`
