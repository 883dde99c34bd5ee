/** What a ban has to be, whoever asks for it: a prefix that is none of those that are never banned, for a time within bounds. */
import { EdgeError } from '../../base/errors.ts'
import { formatPrefix, type IpPrefix, readPrefix } from '../../base/ip-prefix.ts'
import { BAN_MAX_MS, BAN_MIN_MS, BAN_REASON_MAX } from '../../contract/bans.ts'
import type { NeverBanned } from './never-banned.ts'

/** Shorter ones ban so many that somebody has to say that it is meant. */
const WIDE = { 4: 8, 6: 16 } as const

export interface BanTerms {
  readonly prefix: IpPrefix
  readonly forMs: number
  readonly reason: string
}

/** Throws `ban-invalid` or `ban-refused`, with what is wrong and what would be right. `mayBeWide`: also where it bans a large part of all there are. */
export function banTerms(
  asked: { readonly prefix: string; readonly forMs: number; readonly reason: string },
  never: Pick<NeverBanned, 'reasonFor'>,
  mayBeWide: boolean,
): BanTerms {
  const prefix = readPrefix(asked.prefix)
  if (typeof prefix === 'string') throw new EdgeError('ban-invalid', prefix)
  const { forMs } = asked
  if (!Number.isInteger(forMs) || forMs < BAN_MIN_MS || forMs > BAN_MAX_MS)
    throw new EdgeError(
      'ban-invalid',
      `a ban for ${forMs} ms: expected a whole number of milliseconds from ${BAN_MIN_MS} (1s) to ${BAN_MAX_MS} (366d)`,
    )
  const name = formatPrefix(prefix)
  const reason = never.reasonFor(prefix)
  if (reason !== undefined) throw new EdgeError('ban-refused', `${name} is never banned: it is ${reason}`)
  if (prefix.length < WIDE[prefix.family] && !mayBeWide)
    throw new EdgeError(
      'ban-refused',
      `${name} is a large part of all addresses there are: expected at least /${WIDE[prefix.family]}, or that it is said to be meant`,
      { hint: 'with `force` (`orla ban --force`) it is banned, but for what is never banned' },
    )
  return { prefix, forMs, reason: asked.reason.replaceAll(/\p{Cc}/gu, ' ').slice(0, BAN_REASON_MAX) }
}
