/**
 * Who is in the pool: the endpoints of the configuration, each name taken for all its addresses and followed as they change.
 *
 * An address that comes is an endpoint like any other; one that goes takes no more requests, and its connections close when
 * they are done. Until the first answer of DNS, calls wait here.
 */
import { isIP } from 'node:net'
import type { Clock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import type { EndpointConfig, OriginConfig } from '../../config/schema.ts'
import { addressOf, secureContextOf, type Address } from './address.ts'
import type { Call } from './call.ts'
import { Endpoint } from './endpoint.ts'
import { HealthCheck } from './health-check.ts'
import { Member } from './member.ts'
import { NameWatch } from './names/name-watch.ts'
import { createResolver, type NameResolver } from './names/resolver.ts'
import type { Pool } from './pool.ts'

export interface MembershipDeps {
  readonly clock: Clock
  readonly random: () => number
  readonly warn: (line: string) => void
}

/** Requests that wait for a connection, for each connection allowed, where `pendingMax` does not say. */
const PENDING_PER_CONNECTION = 4

/** One endpoint of the configuration, and what it stands for. */
interface Group {
  readonly settings: EndpointConfig
  readonly address: Address
  watch: NameWatch | undefined
  members: readonly Member[]
}

export class Membership {
  private readonly config: OriginConfig
  private readonly pool: Pool
  private readonly deps: MembershipDeps
  private readonly place: (call: Call) => void
  private readonly groups: readonly Group[]
  private readonly failing: ReadonlySet<number>
  private readonly checks = new Map<Member, HealthCheck>()
  private readonly leaving = new Set<Member>()
  private readonly waiting = new Set<Call>()
  private readonly pendingMax: number
  private readonly resolver: NameResolver | undefined
  private isClosed = false

  /** `place` is called for each call that waited, once there is something to choose from. */
  constructor(config: OriginConfig, pool: Pool, deps: MembershipDeps, place: (call: Call) => void) {
    this.config = config
    this.pool = pool
    this.deps = deps
    this.place = place
    this.pendingMax = config.pendingMax ?? config.connectionsMax * PENDING_PER_CONNECTION
    this.failing = new Set(config.passive === false ? [] : config.passive.status)
    const context = secureContextOf(config)
    this.groups = config.endpoints.map((settings) => ({
      settings,
      address: addressOf(settings, config, context),
      watch: undefined,
      members: [],
    }))
    const named = this.groups.filter(({ address }) => isIP(address.host) === 0)
    this.resolver = named.length > 0 ? createResolver(config.resolver) : undefined
    for (const group of this.groups)
      if (!named.includes(group)) group.members = [this.enter(group, group.address, false)]
    this.update()
    for (const group of named) group.watch = this.follow(group)
  }

  private follow(group: Group): NameWatch {
    const { host } = group.address
    return new NameWatch({
      name: host,
      resolver: this.resolver!,
      onAddresses: (addresses) => {
        this.onAddresses(group, addresses)
        this.settle()
      },
      onTrouble: (reason) => {
        const kept = group.members.length === 0 ? '' : '; its last addresses stay'
        this.deps.warn(`the name ${host} of an origin cannot be resolved: ${reason}${kept}`)
        this.settle()
      },
    })
  }

  private onAddresses(group: Group, addresses: readonly string[]): void {
    const before = group.members
    const isFirst = before.length === 0
    group.members = addresses.map(
      (host) =>
        before.find((member) => member.address.host === host) ??
        this.enter(group, { ...group.address, host }, !isFirst),
    )
    for (const member of before) if (!group.members.includes(member)) this.leave(member)
    this.forgetDone()
    this.update()
  }

  private enter(group: Group, address: Address, isLate: boolean): Member {
    const { config, deps, failing, pendingMax } = this
    const { timeouts, connectionsMax, requestsMax, health } = config
    const bounds = { connectionsMax, pendingMax, requestsMax }
    const endpoint = new Endpoint({ address, timeouts, ...bounds, clock: deps.clock })
    const member = new Member(group.settings, address, endpoint, {
      config,
      failing,
      isAlone: () => this.pool.members.length === 1,
      onChange: (changed, what) => {
        this.pool.onChange()
        this.pool.candidates(deps.clock.monotonic())
        const panic = this.pool.isPanicking ? '; it is asked all the same, since too few others are left' : ''
        deps.warn(`the endpoint ${changed.label} is ${what}${panic}`)
      },
    })
    // Who asked before the end still gets an answer; nothing is kept after it.
    if (this.isClosed) endpoint.close()
    if (isLate) member.risingSinceMs = deps.clock.monotonic()
    if (health !== undefined && !this.isClosed) this.checks.set(member, new HealthCheck(member, health, deps))
    return member
  }

  private leave(member: Member): void {
    member.isLeaving = true
    member.endpoint.close()
    this.checks.get(member)?.stop()
    this.checks.delete(member)
    this.leaving.add(member)
  }

  private forgetDone(): void {
    for (const member of this.leaving) if (member.active === 0) this.leaving.delete(member)
  }

  private update(): void {
    this.pool.set(this.groups.flatMap(({ members }) => members))
  }

  // ── calls that came before the first answer of DNS ──────────────────────────────────────────────────────────────

  /** Whether an endpoint, or this one, may come to be known shortly. */
  mayYetCome(endpoint: string | undefined): boolean {
    if (endpoint === undefined && this.pool.members.length > 0) return false
    return this.groups.some(
      ({ watch, settings, members }) =>
        watch?.isSettled === false &&
        members.length === 0 &&
        (endpoint === undefined || endpoint === settings.name),
    )
  }

  wait(call: Call): void {
    const { connect } = this.config.timeouts
    if (this.waiting.size >= this.pendingMax) {
      process.nextTick(() =>
        call.fail(new EdgeError('origin-busy', 'too many requests wait for an answer of DNS')),
      )
      return
    }
    this.waiting.add(call)
    const timer = setTimeout(() => {
      this.waiting.delete(call)
      call.fail(new EdgeError('origin-unresolved', `${this.names()}: no answer of DNS within ${connect} ms`))
    }, connect)
    call.cancel = () => {
      clearTimeout(timer)
      this.waiting.delete(call)
    }
  }

  private settle(): void {
    for (const call of this.waiting) {
      call.cancel?.()
      call.cancel = undefined
      this.place(call)
    }
  }

  unresolvedError(): EdgeError {
    const reasons = this.unresolved().map(({ reason }) => reason)
    return new EdgeError('origin-unresolved', `${this.names()} cannot be resolved: ${reasons.join(', ')}`)
  }

  private names(): string {
    return this.groups.map(({ settings }) => settings.name).join(', ')
  }

  // ── for people, and the end ─────────────────────────────────────────────────────────────────────────────────────

  /** Those in the pool, and those that still finish something. */
  all(): readonly Member[] {
    this.forgetDone()
    return [...this.pool.members, ...this.leaving]
  }

  unresolved(): { readonly name: string; readonly reason: string }[] {
    return this.groups.flatMap(({ address, watch }) =>
      watch === undefined || watch.trouble === '' ? [] : [{ name: address.host, reason: watch.trouble }],
    )
  }

  close(): void {
    this.isClosed = true
    for (const { watch } of this.groups) watch?.stop()
    if (this.waiting.size === 0) this.resolver?.cancel()
    for (const check of this.checks.values()) check.stop()
    this.checks.clear()
    for (const member of this.pool.members) member.endpoint.close()
  }
}
