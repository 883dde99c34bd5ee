/** Which names a rule means, and what becomes of them: both as text in lower case, with the dot at the end. */
import { GoRegex } from '../../../base/go-regex.ts'

export const MATCHES = ['exact', 'prefix', 'suffix', 'substring', 'regex'] as const
export type MatchKind = (typeof MATCHES)[number]

export const isMatchKind = (text: string): text is MatchKind => (MATCHES as readonly string[]).includes(text)

export class NameMatch {
  readonly kind: MatchKind
  readonly #from: string
  readonly #regex: GoRegex | undefined

  /** Throws a `GoRegexError`. */
  constructor(kind: MatchKind, from: string) {
    this.kind = kind
    this.#regex = kind === 'regex' ? GoRegex.compile(from) : undefined
    // A whole name, and the end of one, end with the dot.
    this.#from = kind === 'exact' || kind === 'suffix' ? absolute(from.toLowerCase()) : from.toLowerCase()
  }

  means(name: string): boolean {
    switch (this.kind) {
      case 'exact':
        return name === this.#from
      case 'prefix':
        return name.startsWith(this.#from)
      case 'suffix':
        return name.endsWith(this.#from)
      case 'substring':
        return name.includes(this.#from)
      default:
        return this.#regex!.test(name)
    }
  }

  /** The name that `to` makes of one; undefined where it is not meant. `{1}` in `to` is what the first group of an expression held. */
  replaced(name: string, to: string): string | undefined {
    if (this.#regex) {
      const match = this.#regex.match(name)
      return match && filled(to, match.groups)
    }
    if (!this.means(name)) return undefined
    switch (this.kind) {
      case 'exact':
        return to
      case 'prefix':
        return to + name.slice(this.#from.length)
      case 'suffix':
        return name.slice(0, name.length - this.#from.length) + to
      default:
        return name.replaceAll(this.#from, () => to)
    }
  }
}

export const absolute = (name: string): string => (name.endsWith('.') ? name : `${name}.`)

const filled = (to: string, groups: readonly string[]): string =>
  to.replace(/\{(\d+)\}/g, (whole, group: string) => groups[Number(group)] ?? whole)

/** How many groups `to` speaks of, beyond those that an expression has. */
export function groupsMissing(from: string, to: string): number | undefined {
  const has = GoRegex.compile(from).names.length - 1
  for (const [, group] of to.matchAll(/\{(\d+)\}/g)) if (Number(group) > has) return Number(group)
  return undefined
}
