/** Bans as the admin API asks for them: into the log, and acknowledged when the workers of this node, and of its edges, let nobody of these in. */
import type { Clock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import { covers, formatPrefix, type IpPrefix, readPrefix } from '../../base/ip-prefix.ts'
import { within } from '../../base/within.ts'
import type { BanOutcome } from '../../contract/bans.ts'
import type { Position } from '../../contract/store.ts'
import type { BanChanged, BanList } from '../../control/ban-shapes.ts'
import { type BanMethods, type ChangeOptions, NotFinished } from '../../control/node.ts'
import type { EdgePlane } from '../../replication/edge-plane.ts'
import { asPurged } from '../../replication/edge-plane.ts'
import { isLive, type EdgeLevel } from '../../replication/publication.ts'
import type { BanBook, KnownBan } from './ban-book.ts'
import { banTerms } from './ban-terms.ts'
import type { BanWriter } from './ban-writer.ts'
import type { NeverBanned } from './never-banned.ts'
import type { PassedBan, WaitingBans } from './waiting-bans.ts'

export interface BanControlParts {
  readonly clock: Clock
  readonly nodeName: string
  readonly book: BanBook
  readonly never: NeverBanned
  readonly writer: BanWriter
  readonly waiting: WaitingBans
  /** The control plane that this node follows; undefined where it is one. */
  readonly follows: string | undefined
  readonly plane: EdgePlane | undefined
  readonly level: (options: ChangeOptions) => EdgeLevel | undefined
  readonly workers: () => { readonly workers: number; readonly of: number }
  /** Resolves when all workers of this node have what stands now. */
  readonly told: () => Promise<void>
  /** Throws where this node takes no changes now. */
  readonly assertTakesChanges: () => void
}

/** How long an edge waits for its control plane before it says that the ban stands there alone. */
const PASS_MAX_MS = 2_000

export function banControl(parts: BanControlParts): BanMethods & {
  /** Those of edges, and of this node's units and limits: each by itself. Throws where the log cannot be written. */
  readonly order: (bans: readonly PassedBan[]) => Promise<readonly BanOutcome[]>
} {
  const { clock, book, never, writer, waiting } = parts

  async function order(bans: readonly PassedBan[]): Promise<readonly BanOutcome[]> {
    parts.assertTakesChanges()
    const outcomes: BanOutcome[] = []
    const good: { index: number; prefix: string; ban: PassedBan; forMs: number; reason: string }[] = []
    for (const [index, ban] of bans.entries()) {
      try {
        const { prefix, forMs, reason } = banTerms(ban, never, false)
        good.push({ index, prefix: formatPrefix(prefix), ban, forMs, reason })
      } catch (error) {
        outcomes[index] = outcomeOf(error)
      }
    }
    if (good.length === 0) return outcomes
    try {
      const { until } = await writer.write(
        good.map(({ prefix, forMs, reason, ban: { by, node } }) => ({
          prefix,
          forMs,
          record: { reason, by, node },
        })),
        { onlyLonger: true },
      )
      for (const [at, { index, prefix }] of good.entries()) outcomes[index] = { prefix, until: until[at]! }
    } catch (error) {
      if (!(error instanceof EdgeError) || error.code !== 'ban-limit') throw error
      for (const { index } of good) outcomes[index] = outcomeOf(error)
    }
    return outcomes
  }

  /** Resolves when workers here and edges, as far as was asked for, are past that position. */
  async function settled(position: Position, options: ChangeOptions, start: number) {
    const sinceMs = () => Math.round((clock.monotonic() - start) * 100) / 100
    const here = { live: parts.workers(), ms: sinceMs() }
    if (options.wait === 'stored') return here
    await within(options.timeoutMs, parts.told())
    const level = parts.level(options)
    const { plane } = parts
    if (level === undefined || plane === undefined) return { ...here, ms: sinceMs() }
    const found = await plane.waitPurged(level, position, Math.max(1, options.timeoutMs - sinceMs()))
    if (found.kind === 'not-yet')
      throw new NotFinished(
        `not every edge has it after ${options.timeoutMs} ms; it is in the log, and goes on`,
        found.laggards,
      )
    const all = plane.edges().filter(({ presence }) => presence !== 'stopped')
    const past = all.filter((edge) => isLive(asPurged(edge), position))
    return { live: here.live, edges: { live: past.length, of: all.length, ms: sinceMs() }, ms: sinceMs() }
  }

  async function banHere(terms: readonly { prefix: string; forMs: number; reason: string }[], by: string) {
    const at = clock.now()
    for (const { prefix, forMs, reason } of terms)
      waiting.add(prefix, { until: at + forMs, at, reason, by, node: parts.nodeName }, forMs)
    await within(PASS_MAX_MS, waiting.tried())
    await parts.told()
  }

  const changed = (prefixes: readonly string[], rest: Omit<BanChanged, 'bans'>): BanChanged => {
    const named = new Set(prefixes)
    const known = book.list().filter(({ prefix }) => named.has(prefix))
    return { bans: known.map((ban) => ({ ...shown(ban), holes: [...holesOf(ban.prefix)] })), ...rest }
  }
  const holesOf = (prefix: string) => {
    const given = readPrefix(prefix)
    return typeof given === 'string' ? [] : never.holesIn(given)
  }

  return {
    order,

    async ban({ prefixes, forMs, reason, force }, who, options) {
      parts.assertTakesChanges()
      const start = clock.monotonic()
      const terms = prefixes.map((prefix) => {
        const checked = banTerms({ prefix, forMs, reason }, never, force)
        return { ...checked, prefix: formatPrefix(checked.prefix) }
      })
      const names = [...new Set(terms.map(({ prefix }) => prefix))]
      const by = `token ${who}`
      if (parts.follows !== undefined) {
        if (force)
          throw new EdgeError(
            'not-control-plane',
            `this edge follows ${parts.follows}, and bans nothing wide`,
            {
              hint: `send it there: --control ${parts.follows}`,
            },
          )
        await banHere(terms, by)
        const here = { live: parts.workers(), ms: Math.round(clock.monotonic() - start) }
        const left = names.filter((name) => !book.list().some(({ prefix }) => prefix === name))
        if (left.length > 0)
          throw new EdgeError(
            'ban-refused',
            `the control plane does not ban ${left.slice(0, 5).join(', ')}: its log, or that of this edge, says why`,
          )
        return changed(names, here)
      }
      const record = { reason: terms[0]?.reason ?? '', by, node: parts.nodeName }
      const { position } = await writer.write(
        terms.map(({ prefix }) => ({ prefix, forMs, record })),
        { onlyLonger: false },
      )
      const result = await settled(position, options, start)
      return changed(names, result)
    },

    async unban(given, options) {
      parts.assertTakesChanges()
      const start = clock.monotonic()
      const prefixes = [
        ...new Set(given === 'all' ? book.list().map(({ prefix }) => prefix) : given.map(canonical)),
      ]
      const unknown = prefixes.find((prefix) => !book.isLogged(prefix) && !book.isWaiting(prefix))
      if (unknown !== undefined)
        throw new EdgeError('ban-unknown', `${unknown} is not banned: nothing was changed`)
      const inLog = prefixes.filter((prefix) => book.isLogged(prefix))
      if (parts.follows !== undefined && inLog.length > 0)
        throw new EdgeError(
          'not-control-plane',
          `this edge follows ${parts.follows}, and lifts no ban that stands in its log`,
          { hint: `send it there: --control ${parts.follows}` },
        )
      for (const prefix of prefixes) waiting.drop(prefix)
      const position = inLog.length === 0 ? book.position : await writer.remove(inLog)
      return { lifted: prefixes, ...(await settled(position, options, start)) }
    },

    bans({ address, limit }): BanList {
      const wanted = address === undefined ? undefined : asked(address)
      const all = book.list().filter(({ prefix }) => wanted === undefined || meets(prefix, wanted))
      return { bans: all.slice(0, limit).map(shown), total: all.length, never: [...never.list] }
    },
  }
}

const shown = ({ prefix, record, state }: KnownBan) => ({ prefix, ...record, state })

function outcomeOf(error: unknown): BanOutcome {
  if (!(error instanceof EdgeError)) throw error
  return { code: error.code, message: error.message }
}

const asked = (text: string): IpPrefix => {
  const prefix = readPrefix(text)
  if (typeof prefix === 'string') throw new EdgeError('ban-invalid', prefix)
  return prefix
}
const canonical = (text: string): string => formatPrefix(asked(text))

/** A ban around what is asked about, or within it. */
function meets(banned: string, wanted: IpPrefix): boolean {
  const prefix = readPrefix(banned)
  return typeof prefix !== 'string' && (covers(prefix, wanted) || covers(wanted, prefix))
}
