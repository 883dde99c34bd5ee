/**
 * Changes of rollouts, planned as those of units are (`unit/changes.ts`): what begins one, moves it on, and ends it.
 *
 * The live pointer stays where it is until the last stage is over. Whoever acts by what it saw names what it expects, and nothing
 * happens where the rollout has moved on meanwhile.
 */
import { EdgeError } from '../../base/errors.ts'
import { isUnderWay, type Rollout, type ShadowRollout, type StagedRollout } from '../../contract/rollout.ts'
import type { StoreView } from '../../contract/store.ts'
import { versionKey } from '../../contract/unit.ts'
import {
  draftRecord,
  goodVersion,
  known,
  refuseUnderWay,
  setPointer,
  versionChange,
  type Change,
  type Draft,
  type PlanContext,
  type VersionChange,
} from '../changes.ts'
import { readPointer, type UnitPointer } from '../records.ts'

/** What was asked for when a rollout began. */
export type StagedTerms = Pick<StagedRollout, 'stages' | 'stepForMs' | 'gate'>
export type ShadowTerms = Pick<ShadowRollout, 'share' | 'mayFetch'>
export type RolloutTerms = { readonly staged: StagedTerms } | { readonly shadow: ShadowTerms }

/** A new version that is not live, but on its way there, or beside. */
export function planStart(
  store: StoreView,
  draft: Draft,
  terms: RolloutTerms,
  context: PlanContext,
): VersionChange {
  const { name } = draft
  const pointer = readPointer(store, name)
  if (!pointer) {
    throw new EdgeError(
      'unit-conflict',
      `${name.slice(0, 80)} has no live version to compare a new one with`,
      {
        hint: 'deploy the first one without stages; `--sample 0.05` runs it for some requests alone',
      },
    )
  }
  if (pointer.disabled) {
    throw new EdgeError('unit-conflict', `${name} is switched off, and nobody would run the new version`, {
      hint: `switch it on first: \`orla enable ${name}\``,
    })
  }
  refuseUnderWay(name, pointer, context)
  const version = pointer.last + 1
  const rollout = begun(terms, version, pointer.live, context.at)
  const next = { ...pointer, last: version, rollout, at: context.at }
  const inUse = [pointer.live, pointer.history.at(-1)]
  return versionChange(name, next, draftRecord(store, pointer, draft, context), context, inUse)
}

const begun = (terms: RolloutTerms, version: number, from: number, at: number): Rollout => {
  const base = { version, from, state: 'running', startedAt: at, since: at } as const
  return 'staged' in terms
    ? { kind: 'staged', ...base, step: 0, ...terms.staged }
    : { kind: 'shadow', ...base, ...terms.shadow }
}

/** A step, as somebody saw it. */
export interface SeenStep {
  readonly version: number
  readonly step: number
}

/** The next stage; after the last one the version is live everywhere. */
export function planAdvance(store: StoreView, name: string, context: PlanContext, seen?: SeenStep): Change {
  const { pointer, rollout } = underWay(store, name)
  if (rollout.kind === 'shadow') {
    throw conflict(name, rollout, 'runs as a shadow, which has no stages', `orla rollouts promote ${name}`)
  }
  const hasMoved = seen && (seen.version !== rollout.version || seen.step !== rollout.step)
  if (hasMoved || (seen && rollout.state !== 'running')) return unchanged(name, pointer)
  refuseBad(name, rollout, context)
  if (rollout.step + 1 === rollout.stages.length) return goLive(name, pointer, rollout, context)
  const { reason: _before, ...rest } = rollout
  const next = { ...rest, step: rollout.step + 1, state: 'running', since: context.at } as const
  return moved(name, pointer, next, rollout.version, context.at)
}

/** A shadow is live from now on, or begins its stages. */
export function planPromote(
  store: StoreView,
  name: string,
  context: PlanContext,
  staged?: StagedTerms,
): Change {
  const { pointer, rollout } = underWay(store, name)
  if (rollout.kind === 'staged')
    throw conflict(name, rollout, 'is in stages already', `orla rollouts advance ${name}`)
  refuseBad(name, rollout, context)
  if (!staged) return goLive(name, pointer, rollout, context)
  const next = begun({ staged }, rollout.version, pointer.live, context.at)
  return moved(name, pointer, next, rollout.version, context.at)
}

/** It stays where it is: no stage begins, and nothing is judged. A shadow does not run. */
export function planPause(store: StoreView, name: string, at: number): Change {
  const { pointer, rollout } = underWay(store, name)
  if (rollout.state === 'paused') return unchanged(name, pointer)
  const next = { ...rollout, state: 'paused', reason: 'paused by hand', since: at } as const
  return moved(name, pointer, next, pointer.live, at)
}

/** Goes on, and the step begins anew. */
export function planResume(store: StoreView, name: string, context: PlanContext): Change {
  const { pointer, rollout } = underWay(store, name)
  if (rollout.state === 'running') return unchanged(name, pointer)
  refuseBad(name, rollout, context)
  const { reason: _before, ...rest } = rollout
  return moved(name, pointer, { ...rest, state: 'running', since: context.at }, rollout.version, context.at)
}

/** The live version stays, for everybody. `seen`: by a judgement about that version. */
export function planAbort(
  store: StoreView,
  name: string,
  at: number,
  reason = 'aborted by hand',
  seen?: { readonly version: number },
): Change {
  if (seen) {
    const pointer = readPointer(store, name)
    const isSame = pointer?.rollout?.version === seen.version && pointer.rollout.state === 'running'
    if (!isSame) return { name, version: pointer?.live ?? 0, effects: [] }
  }
  const { pointer, rollout } = underWay(store, name)
  const next = { ...rollout, state: 'rolled-back', reason, since: at } as const
  return moved(name, pointer, next, pointer.live, at)
}

function goLive(name: string, pointer: UnitPointer, rollout: Rollout, context: PlanContext): Change {
  const { at } = context
  const { reason: _before, ...rest } = rollout
  const history = [...pointer.history, ...goodVersion(pointer, context)]
  const next: UnitPointer = {
    ...pointer,
    live: rollout.version,
    history,
    rollout: { ...rest, state: 'done', since: at },
    at,
  }
  return { name, version: rollout.version, effects: [setPointer(name, next)] }
}

function underWay(
  store: StoreView,
  name: string,
): { readonly pointer: UnitPointer; readonly rollout: Rollout } {
  const pointer = known(store, name)
  const { rollout } = pointer
  if (isUnderWay(rollout)) return { pointer, rollout }
  throw new EdgeError('unit-conflict', `no new version of ${name} is on its way`, {
    hint: `\`orla deploy FILE --stage 5%,50%\` begins a rollout, \`--shadow\` a shadow; \`orla rollouts\` lists them`,
  })
}

function refuseBad(name: string, rollout: Rollout, { bad }: PlanContext): void {
  if (bad?.has(rollout.version))
    throw conflict(name, rollout, 'is in quarantine', `orla rollouts abort ${name}`)
}

const conflict = (name: string, { version }: Rollout, what: string, command: string): EdgeError =>
  new EdgeError('unit-conflict', `${versionKey({ name, version })} ${what}`, { hint: `see \`${command}\`` })

const unchanged = (name: string, { live }: UnitPointer): Change => ({ name, version: live, effects: [] })

const moved = (
  name: string,
  pointer: UnitPointer,
  rollout: Rollout,
  version: number,
  at: number,
): Change => ({
  name,
  version,
  effects: [setPointer(name, { ...pointer, rollout, at })],
})
