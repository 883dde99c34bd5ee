/** What Redis says when it does not do what it was asked, and what follows from it. */
import { ErrorReply } from '@redis/client'
import { EdgeError, wordsOf } from '../../../base/errors.ts'
import { hostOf } from '../../../base/server-address.ts'

/**
 * `moved`, `ask`: the log lives elsewhere, from now on or (while a slot moves) for this once. `again`: it may be another thing in a moment, or on
 * another server. `refused`: asking again would not help.
 */
export type Failure = {
  /** Whether it is not known what was done, or whose answer comes next: the connection is of no more use. */
  readonly isConnectionLost: boolean
} & (
  | { readonly kind: 'moved' | 'ask'; readonly address: string; readonly problem: string }
  | { readonly kind: 'again'; readonly problem: string }
  | { readonly kind: 'refused'; readonly error: EdgeError }
)

/** Replies that pass: a server that starts, fails over, has a script that runs, has lost its master, its Cluster or its replicas. */
const PASSING =
  /^(?:TRYAGAIN|CLUSTERDOWN|LOADING|MASTERDOWN|READONLY|BUSY|UNBLOCKED|NOREPLICAS)\b|max number of clients reached|force unblock/

/** Codes of Node where a server is not the one that was to be asked, or speaks no TLS. */
const UNTRUSTED = /CERT|SIGNATURE|ERR_TLS|ERR_SSL/

const HINTS: readonly (readonly [RegExp, string])[] = [
  [/^OOM/, 'give Redis more memory (`maxmemory`), or take out of it what is not needed; nothing was written'],
  [
    /^(?:NOAUTH|WRONGPASS)|AUTH|invalid (?:username-)?password/,
    'mend `store.username` and `store.password`, or the user and password of `store.url`',
  ],
  [
    /^NOPERM/,
    'let the user run EVAL, EVALSHA, INFO, HSET, HSCAN, SUBSCRIBE and what scripts use on keys and channels that start with `store.prefix`',
  ],
  [/^MISCONF/, 'see the log of Redis for why it cannot write to its disk'],
  [/^DENIED/, 'Redis is in protected mode: set a password there, or `bind` it as it says'],
  [/^WRONGTYPE/, 'another program has such a key: give this store another `store.prefix`'],
  [/XADD/, 'somebody else wrote to the stream: start the log anew with `orla store migrate`'],
]

export function failureOf(error: unknown, address: string): Failure {
  if (error instanceof EdgeError) return { kind: 'refused', error, isConnectionLost: false }
  const problem = wordsOf(error)
  if (error instanceof Error && 'code' in error && UNTRUSTED.test(String(error.code))) {
    const hint = 'see `store.tls`: the authority that signed for the server, and the names it signed for'
    const refusal = new EdgeError('store-refused', `Redis at ${address}: ${problem}`, { cause: error, hint })
    return { kind: 'refused', error: refusal, isConnectionLost: true }
  }
  if (!(error instanceof ErrorReply))
    return { kind: 'again', problem: `${address}: ${problem}`, isConnectionLost: true }
  const redirect = /^(MOVED|ASK) \d+ (\S*):(\d+)/.exec(problem)
  if (redirect !== null) {
    const [, word, host, port] = redirect
    // An empty host means the one that was asked.
    const there = host === '' || host === '?' ? hostOf(address) : host
    return {
      kind: word === 'ASK' ? 'ask' : 'moved',
      address: `${there}:${port}`,
      problem,
      isConnectionLost: false,
    }
  }
  if (PASSING.test(problem))
    return { kind: 'again', problem: `${address}: ${problem}`, isConnectionLost: false }
  const hint = HINTS.find(([pattern]) => pattern.test(problem))?.[1]
  return {
    kind: 'refused',
    // What nobody knows may have been meant for something else than what was asked.
    isConnectionLost: hint === undefined,
    error: new EdgeError('store-refused', `Redis at ${address}: ${problem}`, {
      cause: error,
      ...(hint !== undefined && { hint }),
    }),
  }
}
