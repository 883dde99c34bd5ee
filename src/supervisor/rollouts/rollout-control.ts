/** Rollouts as the admin API sees them: what is on its way, how it does, and what moves it. */
import { EdgeError } from '../../base/errors.ts'
import type { Clock } from '../../base/clock.ts'
import {
  DEFAULT_GATE,
  DEFAULT_STEP_MS,
  type Rollout,
  type RolloutHealth,
  type RolloutSample,
} from '../../contract/rollout.ts'
import type { StoreView } from '../../contract/store.ts'
import { PHASE_BITS, PHASES, versionKey } from '../../contract/unit.ts'
import type { ChangeOptions, RolloutRequest, RolloutMove, ControlledNode } from '../../control/node.ts'
import type { RolloutCounts, RolloutSummary } from '../../control/rollout-shapes.ts'
import type { ChangeResult } from '../../control/shapes.ts'
import type { PlanContext } from '../../unit/changes.ts'
import { listPointers, readPointer, readRecord } from '../../unit/records.ts'
import * as plans from '../../unit/rollout/changes.ts'
import { added, errorCount, NO_COUNTS, type Counts } from '../../unit/rollout/counts.ts'
import { quantileOf } from '../../unit/rollout/gate.ts'
import { parseStages, stageText } from '../../unit/rollout/stages.ts'
import type { Log } from '../log.ts'
import type { ChangeRequest, Plan } from '../changes/unit-changes.ts'
import type { RolloutActs, RolloutController } from './rollout-controller.ts'

export interface RolloutControlParts {
  readonly clock: Clock
  readonly store: StoreView
  readonly health: readonly RolloutHealth[]
  readonly controller: Pick<RolloutController, 'standing'>
  readonly make: (request: ChangeRequest, options: ChangeOptions) => Promise<ChangeResult>
  readonly context: (name: string) => PlanContext
  readonly onLive: () => void
  readonly log: Log
}

/** Nobody waits for edges to run it: one that is away would hold up the next step, and the way back. */
const BY_ITSELF: ChangeOptions = { wait: 'stored', timeoutMs: 600_000 }

export type RolloutControl = Pick<ControlledNode, 'rollouts' | 'rollout' | 'moveRollout'> & {
  /** What the controller asks for. */
  readonly acts: RolloutActs
}

/** What was asked for, checked. Throws where the stages cannot be read. */
export function termsOf(request: RolloutRequest): plans.RolloutTerms {
  if (request.kind === 'shadow') return { shadow: { share: request.share, mayFetch: request.mayFetch } }
  return { staged: stagedTerms(request) }
}

function stagedTerms({
  stages: texts,
  gate,
  stepForMs,
}: RolloutRequest & { kind: 'staged' }): plans.StagedTerms {
  const result = parseStages(texts)
  if ('problem' in result) throw new EdgeError('request-invalid', `stages: ${result.problem}`)
  return {
    stages: result.stages,
    stepForMs: stepForMs ?? DEFAULT_STEP_MS,
    gate: { ...DEFAULT_GATE, ...gate },
  }
}

export function rolloutControl(parts: RolloutControlParts): RolloutControl {
  const { store, clock, health, controller } = parts

  const change = async (name: string, plan: () => Plan, options: ChangeOptions): Promise<ChangeResult> =>
    parts.make({ name, plan, onLive: parts.onLive }, options)

  /** What nobody asked for by hand is told, where something came of it. */
  const move = async (name: string, plan: () => Plan, tell: () => void): Promise<void> => {
    const onLive = ({ effects }: Plan) => {
      parts.onLive()
      if (effects.length > 0) tell()
    }
    await parts.make({ name, plan, onLive }, BY_ITSELF)
  }

  const planOf = (name: string, move: RolloutMove): Plan => {
    switch (move.action) {
      case 'advance':
        return plans.planAdvance(store, name, parts.context(name))
      case 'pause':
        return plans.planPause(store, name, clock.now())
      case 'resume':
        return plans.planResume(store, name, parts.context(name))
      case 'abort':
        return plans.planAbort(store, name, clock.now())
      case 'promote':
        return plans.planPromote(store, name, parts.context(name), move.staged && stagedTerms(move.staged))
    }
  }

  const samples = async (): Promise<readonly RolloutSample[]> =>
    (await Promise.all(health.map((one) => one.samples()))).flat()

  return {
    acts: {
      advance: (name, seen) =>
        move(
          name,
          () => plans.planAdvance(store, name, parts.context(name), seen),
          () => parts.log.info(`${versionKey({ name, ...seen })} goes on: ${reached(name)}`),
        ),
      rollBack: (name, version, reason) =>
        move(
          name,
          () => plans.planAbort(store, name, clock.now(), reason, { version }),
          () => parts.log.warn(`${versionKey({ name, version })} is rolled back: ${reason}`),
        ),
    },
    moveRollout: (name, move, options) => change(name, () => planOf(name, move), options),
    async rollouts() {
      const counted = await samples()
      return listPointers(store).flatMap(([name, { rollout }]) =>
        rollout === undefined ? [] : [summary(name, rollout, counted)],
      )
    },
    async rollout(name) {
      const pointer = readPointer(store, name)
      if (!pointer) throw new EdgeError('unit-unknown', `there is no unit ${name}`)
      if (!pointer.rollout) {
        throw new EdgeError('unit-conflict', `no new version of ${name} is on its way, nor was one lately`, {
          hint: '`orla rollouts` lists those that are',
        })
      }
      return summary(name, pointer.rollout, await samples())
    },
  }

  function reached(name: string): string {
    const rollout = readPointer(store, name)?.rollout
    return rollout?.kind === 'staged' && rollout.state === 'running'
      ? stageText(rollout.stages[rollout.step]!)
      : 'live everywhere'
  }

  function summary(name: string, rollout: Rollout, counted: readonly RolloutSample[]): RolloutSummary {
    const { version, from, state, reason, startedAt, since } = rollout
    const mine = counted.filter((one) => one.unit === name)
    const next = mine.filter((one) => one.version === version)
    const standing = controller.standing(name)
    const total = (of: number) =>
      mine.filter((one) => one.version === of).reduce<Counts>((sum, one) => added(sum, one), NO_COUNTS)
    const base = {
      name,
      version,
      from,
      state,
      ...(reason !== undefined && { reason }),
      startedAt,
      since,
      new: countsOf(standing?.next ?? total(version)),
      old: countsOf(standing?.old ?? total(from)),
    }
    if (rollout.kind === 'staged') {
      const { stages, step, stepForMs, gate } = rollout
      return {
        kind: 'staged',
        ...base,
        stages: stages.map(stageText),
        step,
        stepForMs,
        gate,
        ...(standing && { elapsedMs: Math.round(standing.elapsedMs), judgement: standing.judgement.kind }),
      }
    }
    const phases = readRecord(store, name, version)?.phases ?? 0
    const before = readRecord(store, name, from)?.phases ?? 0
    return {
      kind: 'shadow',
      ...base,
      share: rollout.share,
      mayFetch: rollout.mayFetch,
      results: {
        same: sum(next, ({ shadow }) => shadow.same),
        different: sum(next, ({ shadow }) => shadow.different),
        failed: sum(next, ({ shadow }) => shadow.failed),
        skipped: sum(next, ({ shadow }) => shadow.skipped),
      },
      notCompared: PHASES.filter(
        (phase) => (phases & PHASE_BITS[phase]) !== 0 && !isCompared(PHASE_BITS[phase], before),
      ),
      examples: next
        .flatMap(({ examples }) =>
          examples.map(({ unit: _unit, version: _version, ...one }) => ({
            ...one,
            differs: [...one.differs],
          })),
        )
        .toSorted((a, b) => a.at - b.at)
        .slice(-10),
    }
  }
}

/** A phase that changes or answers a request, where the live version hooks it too; what comes in is compared with nothing as well. */
function isCompared(phase: number, before: number): boolean {
  const { rewrite, access, content, origin, originResponse, headerFilter } = PHASE_BITS
  if ((phase & (rewrite | access)) !== 0) return true
  return (phase & before & (content | origin | originResponse | headerFilter)) !== 0
}

const sum = <T>(list: readonly T[], of: (one: T) => number): number =>
  list.reduce((total, one) => total + of(one), 0)

function countsOf(counts: Counts): RolloutCounts {
  const ms = (quantile: number) =>
    counts.wallSeconds && Math.round(quantileOf(counts.wallSeconds, quantile) * 1e6) / 1e3
  const [p50Ms, p99Ms] = [ms(0.5), ms(0.99)]
  return {
    requests: counts.requests,
    errors: errorCount(counts),
    serverErrors: counts.serverErrors,
    ...(p50Ms !== undefined && { p50Ms }),
    ...(p99Ms !== undefined && { p99Ms }),
  }
}
