/**
 * The endpoints of an origin, and which of them take requests at this moment.
 *
 *     primaries that are up and not ejected     the rule
 *     backups that are up and not ejected       no such primary is left
 *     primaries, then backups, that are up      panic: too few are left, so ejections are not believed
 *     all                                       checks say that all are down, and `failOpen` says to ask them
 *     none                                      the same without `failOpen`: 503 at once
 *
 * Checks are believed, since the operator asked for them; ejections are a guess, and a guess never empties the pool.
 * The list is made when something changed or a time has passed, and read by every request.
 */
import type { OriginConfig } from '../../config/schema.ts'
import type { Member } from './member.ts'

/** How often the shares of a slow start are worked out anew. */
const RISE_STEPS = 50

export class Pool {
  members: readonly Member[] = []
  /** Of those that take requests, all have the same share. */
  isEven = true
  isPanicking = false
  private readonly panicBelow: number
  private readonly failOpen: boolean
  private readonly slowStart: number | undefined
  private available: readonly Member[] = []
  private validUntilMs = Number.NEGATIVE_INFINITY

  constructor(config: OriginConfig) {
    this.panicBelow = config.passive === false ? 0 : config.passive.panic
    this.failOpen = config.health?.failOpen ?? false
    this.slowStart = config.slowStart
  }

  set(members: readonly Member[]): void {
    this.members = members
    this.onChange()
  }

  /** Something about a member is not as it was. */
  onChange(): void {
    this.validUntilMs = Number.NEGATIVE_INFINITY
  }

  candidates(nowMs: number): readonly Member[] {
    if (nowMs >= this.validUntilMs) this.refresh(nowMs)
    return this.available
  }

  private refresh(nowMs: number): void {
    this.available = this.choose(nowMs)
    this.validUntilMs = Number.POSITIVE_INFINITY
    for (const member of this.members) this.refreshMember(member, nowMs)
    const [first] = this.available
    this.isEven = this.available.every(({ share }) => share === first!.share)
  }

  private refreshMember(member: Member, nowMs: number): void {
    const { outlier } = member
    if (outlier !== undefined && outlier.ejectedUntilMs > 0) {
      if (nowMs < outlier.ejectedUntilMs) this.mindTime(outlier.ejectedUntilMs)
      else if (outlier.takeReturn()) member.risingSinceMs = nowMs
    }
    member.share = member.shareAt(nowMs)
    if (member.risingSinceMs !== undefined && this.slowStart !== undefined)
      this.mindTime(nowMs + this.slowStart / RISE_STEPS)
  }

  private mindTime(atMs: number): void {
    this.validUntilMs = Math.min(this.validUntilMs, atMs)
  }

  private choose(nowMs: number): readonly Member[] {
    const up = this.members.filter((member) => member.isUp)
    const upPrimaries = up.filter(({ settings }) => !settings.backup)
    const upBackups = up.filter(({ settings }) => settings.backup)
    const primaries = upPrimaries.filter((member) => !member.isEjected(nowMs))
    const backups = upBackups.filter((member) => !member.isEjected(nowMs))
    const isEnough = primaries.length > 0 && primaries.length >= this.panicBelow * upPrimaries.length
    this.isPanicking = !isEnough && backups.length === 0 && up.length > 0
    if (isEnough || (primaries.length > 0 && backups.length > 0)) return primaries
    if (backups.length > 0) return backups
    if (upPrimaries.length > 0) return upPrimaries
    if (upBackups.length > 0) return upBackups
    return this.failOpen ? this.members : []
  }
}
