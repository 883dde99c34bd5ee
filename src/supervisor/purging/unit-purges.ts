/**
 * Purges that units of this node ask for: through the log as everybody's, so they hold on all nodes.
 *
 * A unit may purge what the sites keep that it runs on: one that a token for some sites has deployed reaches no other's. It may do so now and then:
 * a purge is an entry of the log, and work for every node.
 */
import type { Clock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import { within } from '../../base/within.ts'
import { PaceBudget, type Pace } from '../../base/pace-budget.ts'
import type { FromWorker, UnitPurgeOutcome } from '../../contract/messages.ts'
import type { Position } from '../../contract/store.ts'
import type { PurgeRequest } from '../../control/node.ts'
import type { PurgeResult } from '../../control/purge-shapes.ts'
import { outside, sitesMet, type ScopedSite } from '../../site/scope.ts'
import type { NodePurges } from './node-purges.ts'
import type { AskPurge } from './purge-control.ts'

export interface UnitPurgesParts {
  readonly clock: Clock
  readonly here: NodePurges
  readonly ask: AskPurge
  /** On an edge: its control plane is asked. */
  readonly askControl: ((path: string, body: unknown) => Promise<unknown>) | undefined
  readonly position: () => Position
  readonly sites: () => readonly ScopedSite[]
}

type Asked = Extract<FromWorker, { kind: 'unitPurge' }>

/** Of one unit, on one node. */
const PACE: Pace = { most: 50, everyMs: 100 }
/** Units whose pace is known; those that asked for nothing for a while make room. */
const UNITS_MAX = 10_000
const TIMEOUT_MS = 10_000

export class UnitPurges {
  readonly #parts: UnitPurgesParts
  readonly #budgets = new Map<string, PaceBudget>()

  constructor(parts: UnitPurgesParts) {
    this.#parts = parts
  }

  /** Never rejects. */
  async outcome(asked: Asked): Promise<UnitPurgeOutcome> {
    const { clock } = this.#parts
    const start = clock.monotonic()
    try {
      if (!this.#mayAsk(asked.unit.name)) {
        const message = `more than ${1000 / PACE.everyMs} purges of one unit a second`
        return { code: 'purge-limit', message }
      }
      const objects = await this.#purge(this.#request(asked))
      return { objects, ms: Math.round((clock.monotonic() - start) * 100) / 100 }
    } catch (error) {
      if (error instanceof EdgeError) return { code: error.code, message: error.message }
      return { code: 'purge-failed', message: (error as Error).message }
    }
  }

  /** Throws where it names what is not the unit's. */
  #request({ unit, reach, purge }: Asked): PurgeRequest {
    if (reach.hosts.length === 0 && reach.paths.length === 0) return purge
    const all = this.#parts.sites()
    const sites = sitesMet(reach, all)
    for (const url of [...(purge.urls ?? []), ...(purge.prefixes ?? [])]) {
      const { hostname, pathname } = new URL(url)
      if (outside({ hosts: [hostname], paths: [pathname] }, sites, all) !== undefined)
        throw new EdgeError('forbidden', `${unit.name} runs on no site that has ${url.slice(0, 200)}`)
    }
    return { ...purge, sites }
  }

  async #purge(request: PurgeRequest): Promise<number> {
    const { ask, askControl, here, position } = this.#parts
    if (askControl === undefined) {
      const { objects } = await ask(request, { wait: 'edges', edges: 1, timeoutMs: TIMEOUT_MS })
      return objects
    }
    const { id } = (await askControl('/v1/edges/purge', request)) as PurgeResult
    // It comes as everything else does that is in the log.
    const objects = await within(TIMEOUT_MS, here.applied({ ...position(), id }))
    if (objects === undefined)
      throw new EdgeError(
        'not-finished',
        `it is in the log, and has not been carried out on this edge after ${TIMEOUT_MS} ms`,
      )
    return objects
  }

  #mayAsk(unit: string): boolean {
    const now = this.#parts.clock.monotonic()
    let budget = this.#budgets.get(unit)
    if (budget === undefined) {
      if (this.#budgets.size >= UNITS_MAX) this.#forgetIdle(now)
      this.#budgets.set(unit, (budget = new PaceBudget(now, PACE)))
    }
    return budget.take(now, PACE)
  }

  #forgetIdle(now: number): void {
    for (const [name, budget] of this.#budgets) if (budget.isFull(now, PACE)) this.#budgets.delete(name)
  }
}
