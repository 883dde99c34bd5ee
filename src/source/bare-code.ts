/**
 * Code without what is only text in it, so that words and signs can be looked for: of JavaScript and Lua alike, and of neither with all its
 * rules. What reads like a string in a regular expression may be taken for one.
 *
 * Each character is looked at a few times at most, whatever the code is: it comes from whoever may write to a source. What is opened and never
 * closed is no text, and is remembered as such, instead of being looked for anew from each next place.
 */

export interface BareOptions {
  /** Templates stay as they are: there is code in them. */
  readonly keepsTemplates?: boolean
}

/** Comments become a space, strings empty ones. */
export function withoutTexts(code: string, { keepsTemplates = false }: BareOptions = {}): string {
  const ends = new TextEnds(code)
  const opening = /["'`/]/g
  let bare = ''
  let from = 0
  for (let found = opening.exec(code); found !== null; found = opening.exec(code)) {
    const { index: at, 0: sign } = found
    const end = sign === '/' ? ends.ofComment(at) : ends.ofString(at, sign)
    if (end === undefined) continue
    const instead = sign === '/' ? ' ' : sign === '`' && keepsTemplates ? code.slice(at, end) : '""'
    bare += code.slice(from, at) + instead
    from = end
    opening.lastIndex = end
  }
  return bare + code.slice(from)
}

/** Without `-- …` and `--[[ … ]]`. */
export function withoutLuaComments(code: string): string {
  let bare = ''
  let from = 0
  let isLeftOpen = false
  for (let at = code.indexOf('--'); at >= 0; at = code.indexOf('--', from)) {
    bare += code.slice(from, at)
    const close: number | undefined =
      !isLeftOpen && code.startsWith('--[[', at) ? code.indexOf(']]', at + 4) : undefined
    isLeftOpen ||= close === -1
    from = close === undefined || close < 0 ? lineEnd(code, at) : close + 2
  }
  return bare + code.slice(from)
}

class TextEnds {
  readonly #code: string
  /** By quote: a string that begins before this place has no end. One that begins within another is aligned with it, escapes and all. */
  readonly #openUntil = new Map<string, number>()
  #isCommentLeftOpen = false

  constructor(code: string) {
    this.#code = code
  }

  ofComment(at: number): number | undefined {
    const code = this.#code
    if (code.startsWith('//', at)) return lineEnd(code, at)
    if (this.#isCommentLeftOpen || !code.startsWith('/*', at)) return undefined
    const close = code.indexOf('*/', at + 2)
    if (close >= 0) return close + 2
    this.#isCommentLeftOpen = true
    return undefined
  }

  ofString(at: number, quote: string): number | undefined {
    const code = this.#code
    if (at < (this.#openUntil.get(quote) ?? 0)) return undefined
    let end = at + 1
    for (; end < code.length; end += 1) {
      const sign = code[end]!
      if (sign === quote) return end + 1
      if (sign === '\\') end += 1
      else if (sign === '\n' && quote !== '`') break
    }
    this.#openUntil.set(quote, end)
    return undefined
  }
}

function lineEnd(code: string, at: number): number {
  const end = code.indexOf('\n', at)
  return end < 0 ? code.length : end
}
