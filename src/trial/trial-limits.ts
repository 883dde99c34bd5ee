/**
 * Limits of a trial: of its own, in memory of its own, so that a unit's tests see what is allowed and what is refused, and take of nobody's.
 *
 * They count as those of a node do, by the same code; the time is the real one.
 */
import { randomBytes } from 'node:crypto'
import { createSharedWords, type SharedWords } from '../base/shared-words.ts'
import { checkLimit } from '../config/check.ts'
import type { RateLimitConfig } from '../config/limit-schema.ts'
import type { UnitVersion } from '../contract/unit.ts'
import type { LimitAsker, NamedLimits } from '../host/limit-calls.ts'
import { RateLimit } from '../http/limits/rate-limit.ts'
import { refusalOf } from '../http/limits/refusal.ts'
import type { LimitedRequest } from '../http/limits/request-limit.ts'
import { limiterPlanOf } from '../limit/configured-plan.ts'
import type { Decision } from '../limit/limiter.ts'
import { layRegion, regionWords } from '../limit/region.ts'
import { isAsked, limitsOfUnit } from '../unit/limit-field.ts'
import { parseHeaderLines } from '../http/fields.ts'
import type { UnitResponse } from './unit-request.ts'

export class TrialLimits implements NamedLimits {
  readonly #limits = new Map<string, RateLimit>()
  readonly #words: SharedWords[] = []
  /** In the field `limit`, of those that requests pass. */
  #passed: readonly string[] = []

  /** `limits` of a unit's tests: rates, or limits in the words of the configuration, by name. Throws a TypeError that says what is wrong. */
  addNamed(given: unknown): void {
    if (given === undefined || given === null) return
    if (typeof given !== 'object' || Array.isArray(given))
      throw new TypeError("`limits` is no object such as { login: '3/1m' }")
    for (const [name, words] of Object.entries(given)) {
      const said = typeof words === 'object' && words !== null ? words : { rate: words }
      const checked = checkLimit({ ...said, name })
      if (checked.kind === 'problems') {
        const [{ path, message }] = checked.problems as [(typeof checked.problems)[0]]
        throw new TypeError(`\`limits.${name}${path === '' ? '' : `.${path}`}\`: ${message}`)
      }
      if (checked.limit.kind !== 'rate')
        throw new TypeError(`\`limits.${name}\`: a unit takes of limits by rate alone`)
      this.#add(checked.limit)
    }
  }

  /** Those of the unit itself, and what requests pass before it runs. */
  addOwn(unit: UnitVersion): void {
    const field = limitsOfUnit(unit)
    for (const limit of field) if (limit.kind === 'own') this.#add(limit.config)
    this.#passed = field
      .filter(isAsked)
      .map((limit) => (limit.kind === 'own' ? limit.config.name : limit.name))
  }

  #add(config: RateLimitConfig): void {
    const plan = limiterPlanOf(config)
    const shared = createSharedWords(regionWords(plan))
    this.#words.push(shared)
    layRegion(shared.words, plan, randomBytes(32))
    const served = { id: config.name, site: '*', config, path: shared.path }
    const counts = { allowed: 0, refused: 0, dry_run: 0, waited: 0 }
    this.#limits.set(
      config.name,
      new RateLimit(served, config, { worker: 1, place: 0, workers: 1, counts, networkOf: () => undefined }),
    )
  }

  take(
    _asker: LimitAsker,
    name: string,
    key: string,
    cost: number,
  ): Decision | Promise<Decision> | undefined {
    return this.#limits.get(name)?.take(key, cost)
  }

  names(): readonly string[] {
    return [...this.#limits.keys()]
  }

  /** What a request is answered that a limit refuses; undefined where it goes on to the unit. Throws where the field names what there is not. */
  async refusal(request: LimitedRequest): Promise<UnitResponse | undefined> {
    for (const name of this.#passed) {
      const limit = this.#limits.get(name)
      if (limit === undefined)
        throw new Error(
          `limit: there is no limit called \`${name}\`: the tests say which there are, in \`limits\``,
        )
      const decision = await limit.ask(request)
      if (decision === undefined || decision.allowed || limit.config.dryRun) continue
      const { status, head, body } = refusalOf(limit, decision)
      return { status, headers: parseHeaderLines(head), body }
    }
    return undefined
  }

  close(): void {
    for (const shared of this.#words) shared.unlink()
  }
}

/** For a bench: a limit of every name, which allows everything and costs what a limit costs. */
export class OpenLimits implements NamedLimits {
  readonly #limits = new TrialLimits()

  take(asker: LimitAsker, name: string, key: string, cost: number): Decision | Promise<Decision> | undefined {
    if (!this.#limits.names().includes(name)) this.#limits.addNamed({ [name]: `1000000000/s` })
    return this.#limits.take(asker, name, key, cost)
  }

  names(): readonly string[] {
    return this.#limits.names()
  }

  close(): void {
    this.#limits.close()
  }
}
