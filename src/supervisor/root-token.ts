/**
 * The root of the control plane's tokens, as the configuration has it now: its own, or the one that is kept in the data directory.
 *
 * It changes with a reload. Nobody is locked out by that who can read the file: the one that counts is always the one that stands there, and
 * where none stands there the log says where it lies.
 */
import type { Config } from '../config/schema.ts'
import type { TokenBook } from '../control/tokens.ts'
import { type ControlToken, openControlToken } from '../store/control-token.ts'
import type { Follower, Step } from './followers.ts'
import type { Log } from './log.ts'

interface Root {
  readonly token: string
  /** Where it is kept, where the configuration gives none. */
  readonly kept: ControlToken | undefined
}

/** Makes and keeps one where there is none at all. To be called by whoever holds the directory's lock. Throws `EdgeError`. */
export function readRootToken({ token }: Config['control'], directory: string): Root {
  const kept = token === undefined ? openControlToken(directory) : undefined
  return { token: token ?? kept!.token, kept }
}

export class RootToken implements Follower {
  readonly #directory: string
  readonly #tokens: TokenBook
  readonly #log: Log

  constructor(directory: string, tokens: TokenBook, log: Log) {
    this.#directory = directory
    this.#tokens = tokens
    this.#log = log
  }

  follow({ control }: Config): Step {
    // One that is made here is kept, even where the reload comes to nothing: the next start would make it.
    const { token, kept } = readRootToken(control, this.#directory)
    return {
      changed: this.#tokens.isRoot(token) ? [] : ['control.token'],
      use: () => {
        // Only then is it sure what is in force: a reload before may have gone live late.
        if (this.#tokens.isRoot(token)) return
        this.#tokens.useRoot(token)
        const now = kept === undefined ? 'what the configuration says now' : `the one in ${kept.path}`
        this.#log.info(`the token of the control plane is ${now}: the one before is refused from here on`)
      },
    }
  }
}
