/** What Redis says when it does not do what it was asked, and what follows from it for limits. */
import { ErrorReply } from '@redis/client'
import { hostOf } from '../../base/server-address.ts'
import { Crowded } from './counter-link.ts'

/**
 * `moved`, `ask`: the key lives elsewhere, from now on or (while a slot moves) for this once. `unknown`: the script was forgotten. `single`: this question
 * alone went wrong, and the server is as good as before. `away`: it is not to be asked for a while.
 */
export type Failure =
  | { readonly kind: 'moved' | 'ask'; readonly address: string }
  | { readonly kind: 'unknown' | 'single' | 'away' }

export function failureOf(error: unknown, asked: string): Failure {
  if (error instanceof Crowded) return { kind: 'single' }
  if (!(error instanceof ErrorReply)) return { kind: 'away' }
  const redirect = /^(MOVED|ASK) \d+ (\S*):(\d+)/.exec(error.message)
  if (redirect !== null) {
    const [, word, host, port] = redirect
    // An empty host means the one that was asked.
    const there = host === '' || host === '?' ? hostOf(asked) : host
    return { kind: word === 'ASK' ? 'ask' : 'moved', address: `${there}:${port}` }
  }
  if (error.message.startsWith('NOSCRIPT')) return { kind: 'unknown' }
  // A slot on its way; or a key that somebody else wrote.
  if (/^TRYAGAIN|WRONGTYPE/.test(error.message)) return { kind: 'single' }
  return { kind: 'away' }
}
