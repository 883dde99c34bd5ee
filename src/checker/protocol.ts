/** What the checker is asked and what it answers, over the channel between a process and its child. */

export interface BuildRequest {
  /** Of the unit, for messages. */
  readonly name: string
  /** The path of the module whose default export is the unit; one of `files`. */
  readonly entry: string
  /** All that was sent, by relative path with `/`. npm packages lie under `node_modules/`, with their `package.json`. */
  readonly files: Readonly<Record<string, string>>
  /** What the entry is, where its path does not say so. */
  readonly language: 'ts' | 'js'
  /** The path of the module with the unit's tests, one of `files`; absent where it has none. */
  readonly tests?: string | undefined
}

export interface Problem {
  readonly file?: string
  /** Both from 1. */
  readonly line?: number
  readonly column?: number
  readonly message: string
  /** An error refuses the unit, a warning is told beside it. */
  readonly severity: 'error' | 'warning'
}

export interface BuiltTests {
  readonly code: string
  readonly sourceMap: string
}

export type BuildResult =
  | {
      readonly ok: true
      /** See `UnitVersion.code`. */
      readonly code: string
      /** Source map v3 as JSON, with the author's paths as sources. */
      readonly sourceMap: string
      readonly warnings: readonly Problem[]
      /** The unit's tests as a unit of their own. */
      readonly tests?: BuiltTests
      readonly buildMs: number
      readonly checkMs: number
    }
  | {
      readonly ok: false
      readonly problems: readonly Problem[]
      readonly buildMs: number
      readonly checkMs: number
    }

export type ToChecker = BuildRequest & { readonly kind: 'build'; readonly id: number }

export type FromChecker =
  /** Warm: the next build takes milliseconds. */
  { readonly kind: 'ready' } | { readonly kind: 'built'; readonly id: number; readonly result: BuildResult }

/** Code of a unit, in bytes, at most. */
export const CODE_BYTES_MAX = 1024 * 1024

/** All files of one unit together, in characters, at most: what is bundled from them is smaller. */
export const SOURCE_CHARACTERS_MAX = 16 * 1024 * 1024
