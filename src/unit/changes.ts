/**
 * Changes of units, planned: each function reads the store and returns the effects to append, all of them or none. It
 * writes nothing itself, so what is planned can be tried out first. One change at a time: two plans made from the same
 * position would give out the same number.
 */
import { EdgeError } from '../base/errors.ts'
import type { SecretBox } from '../contract/secrets.ts'
import type { Effect, StoreView } from '../contract/store.ts'
import { isUnderWay } from '../contract/rollout.ts'
import { versionKey, type Manifest, type UnitOrigin, type UnitVersion } from '../contract/unit.ts'
import * as records from './records.ts'
import type { EnvValue, UnitPointer, VersionRecord } from './records.ts'

/** Versions of a unit that are kept. Older ones go, but never the live one nor where a rollback would go. */
export const VERSIONS_KEPT = 20

export interface Change {
  readonly name: string
  /** The version that is live once the effects are in the store; 0 for a removal. */
  readonly version: number
  /** Empty where the store already says so. */
  readonly effects: readonly Effect[]
}

/** A change that makes a new version, which can be tried before it is stored. */
export interface VersionChange extends Change {
  readonly unit: UnitVersion
}

/** What to set, or null to unset. */
export type EnvChange = Readonly<Record<string, { readonly value: string; readonly secret?: boolean } | null>>

export interface Draft {
  readonly name: string
  readonly code: string
  readonly sourceMap: string
  readonly files: Readonly<Record<string, string>>
  readonly entry: string
  readonly phases: number
  readonly manifest: Manifest
  /** See `signature.ts`. */
  readonly signature?: string
  readonly origin?: UnitOrigin
  /** See `VersionRecord`. */
  readonly sites?: readonly string[]
  /** Over what the version before had: a deploy of new code keeps the environment. */
  readonly env?: EnvChange
}

export interface PlanContext {
  readonly secrets: SecretBox
  /** Milliseconds since 1970. */
  readonly at: number
  /** Versions of this unit that are known to be bad (quarantined): never fallen back to by themselves. */
  readonly bad?: ReadonlySet<number>
  /** A rollout that is under way ends with this change; else it stands in the way. */
  readonly replacesRollout?: boolean
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

/** Undefined for a good name, else what would be right. */
export function unitNameProblem(name: string): string | undefined {
  // Names are keys of plain objects that cross between processes: "constructor" would be found in any of them.
  return NAME.test(name) && !(name in {})
    ? undefined
    : `"${name.slice(0, 80)}" is no name for a unit: letters, digits, "." "_" "-", at most 63, the first a letter or digit`
}

/** A new version goes live. A unit that was switched off is on again. */
export function planDeploy(store: StoreView, draft: Draft, context: PlanContext): VersionChange {
  const problem = unitNameProblem(draft.name)
  if (problem) throw new EdgeError('request-invalid', problem)
  const pointer = records.readPointer(store, draft.name, true)
  refuseUnderWay(draft.name, pointer, context)
  return newVersion(draft.name, pointer, draftRecord(store, pointer, draft, context), context)
}

/** What a draft becomes in the store, over the environment of the live version. */
export function draftRecord(
  store: StoreView,
  pointer: UnitPointer | undefined,
  draft: Draft,
  context: PlanContext,
): VersionRecord {
  const before = pointer?.live ? records.readRecord(store, draft.name, pointer.live) : undefined
  const { name, env, ...rest } = draft
  return {
    ...rest,
    env: applyEnv(before?.env ?? {}, env ?? {}, name, context.secrets),
    hash: records.codeHash(draft.code),
    at: context.at,
  }
}

/** Two versions on their way at once would be compared with each other. */
export function refuseUnderWay(name: string, pointer: UnitPointer | undefined, context?: PlanContext): void {
  const rollout = pointer?.rollout
  if (!isUnderWay(rollout) || context?.replacesRollout) return
  const what = rollout.kind === 'shadow' ? 'runs as a shadow' : 'is being rolled out'
  throw new EdgeError('unit-conflict', `${versionKey({ name, version: rollout.version })} ${what}`, {
    hint: `end it with \`orla rollouts abort ${name}\`, or deploy with --replace, which does that; \`orla rollouts ${name}\` shows how it does`,
  })
}

/** The environment changes: the same code as a new version. `replace` first unsets all that was set. */
export function planEnv(
  store: StoreView,
  name: string,
  env: EnvChange,
  context: PlanContext & { readonly replace?: boolean },
): VersionChange {
  const pointer = known(store, name)
  refuseUnderWay(name, pointer, context)
  const before = keptRecord(store, name, pointer.live)
  const base = context.replace ? {} : before.env
  const record = { ...before, env: applyEnv(base, env, name, context.secrets), at: context.at }
  return { ...newVersion(name, pointer, record, context, pointer.disabled) }
}

/**
 * An older version is live again, under its own number. Without `to`, the one that was live before. Going back cuts the
 * history there, so the next rollback goes further back instead of forth. While a newer version is on its way, that one is what goes: then
 * the live one stays.
 */
export function planRollback(store: StoreView, name: string, at: number, to?: number): Change {
  const pointer = known(store, name)
  const { rollout } = pointer
  if (isUnderWay(rollout) && (to === undefined || to === pointer.live)) {
    const ended = { ...rollout, state: 'rolled-back', reason: 'rolled back by hand', since: at } as const
    return { name, version: pointer.live, effects: [setPointer(name, { ...pointer, rollout: ended, at })] }
  }
  refuseUnderWay(name, pointer)
  const target = to ?? pointer.history.at(-1)
  if (target === undefined) {
    throw new EdgeError(
      'unit-conflict',
      `${name} has no version before ${versionKey({ name, version: pointer.live })}`,
    )
  }
  if (target === pointer.live) {
    throw new EdgeError('unit-conflict', `${versionKey({ name, version: target })} is live already`)
  }
  if (!pointer.kept.includes(target)) {
    const kept = pointer.kept.join(', ')
    throw new EdgeError(
      'unit-conflict',
      `${versionKey({ name, version: target })} is not kept; there are ${kept}`,
    )
  }
  const found = pointer.history.lastIndexOf(target)
  const history = found >= 0 ? pointer.history.slice(0, found) : [...pointer.history, pointer.live]
  const { rollout: _ended, ...rest } = pointer
  return { name, version: target, effects: [setPointer(name, { ...rest, live: target, history, at })] }
}

/** Switches one unit off, or on again. */
export function planDisabled(store: StoreView, name: string, disabled: boolean, at: number): Change {
  const pointer = known(store, name)
  if (pointer.disabled === disabled) return { name, version: pointer.live, effects: [] }
  // A step of a rollout lasts as long as the unit runs.
  const { rollout } = pointer
  const restarted = isUnderWay(rollout) && !disabled && { rollout: { ...rollout, since: at } }
  const next = { ...pointer, ...restarted, disabled, at }
  return { name, version: pointer.live, effects: [setPointer(name, next)] }
}

/** Switches all units off, or on again, each as it was. */
export function planAllEnabled(store: StoreView, enabled: boolean): readonly Effect[] {
  if (records.unitsEnabled(store) === enabled) return []
  return [{ operation: 'SET', key: records.ENABLED_KEY, value: String(enabled) }]
}

/** The unit and all its versions go; only the last number stays, so that it is not given again. */
export function planRemove(store: StoreView, name: string, at: number): Change {
  const pointer = known(store, name)
  const effects: Effect[] = pointer.kept.map((version) => removeRecord(name, version))
  const gone: UnitPointer = { live: 0, history: [], kept: [], last: pointer.last, disabled: false, at }
  return { name, version: 0, effects: [...effects, setPointer(name, gone)] }
}

function newVersion(
  name: string,
  pointer: UnitPointer | undefined,
  record: VersionRecord,
  context: PlanContext,
  disabled = false,
): VersionChange {
  const version = (pointer?.last ?? 0) + 1
  const history = [...(pointer?.history ?? []), ...goodVersion(pointer, context)]
  const next = { live: version, history, kept: pointer?.kept ?? [], last: version, disabled, at: context.at }
  return versionChange(name, next, record, context, [history.at(-1)])
}

/** The live version, where it may be gone back to. */
export const goodVersion = (pointer: UnitPointer | undefined, { bad }: PlanContext): readonly number[] =>
  pointer !== undefined && pointer.live > 0 && !bad?.has(pointer.live) ? [pointer.live] : []

/** Stores a version under the last number of its pointer. The oldest that are kept go, but for those in use. */
export function versionChange(
  name: string,
  pointer: UnitPointer,
  record: VersionRecord,
  context: PlanContext,
  inUse: readonly (number | undefined)[],
): VersionChange {
  const version = pointer.last
  const kept = [...pointer.kept, version]
  const dropped = kept.filter((one) => one !== version && !inUse.includes(one)).slice(0, -(VERSIONS_KEPT - 2))
  const next: UnitPointer = {
    ...pointer,
    history: pointer.history.filter((one) => !dropped.includes(one)),
    kept: kept.filter((one) => !dropped.includes(one)),
  }
  return {
    name,
    version,
    effects: [
      { operation: 'SET', key: records.recordKey(name, version), value: JSON.stringify(record) },
      setPointer(name, next),
      ...dropped.map((one) => removeRecord(name, one)),
    ],
    unit: records.toUnitVersion(name, version, record, context.secrets),
  }
}

function applyEnv(
  before: Readonly<Record<string, EnvValue>>,
  changes: EnvChange,
  name: string,
  secrets: SecretBox,
): Record<string, EnvValue> {
  const env = new Map(Object.entries(before))
  for (const [key, change] of Object.entries(changes)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(key)) {
      throw new EdgeError(
        'request-invalid',
        `"${key.slice(0, 80)}" is no name for a variable: letters, digits and "_"`,
      )
    }
    if (change === null) env.delete(key)
    else if (change.secret)
      env.set(key, { sealed: secrets.seal(change.value, records.secretContext(name, key)) })
    else env.set(key, { plain: change.value })
  }
  return Object.fromEntries(env)
}

export function known(store: StoreView, name: string): UnitPointer {
  const pointer = records.readPointer(store, name)
  if (pointer) return pointer
  throw new EdgeError('unit-unknown', `there is no unit ${name.slice(0, 80)}`)
}

function keptRecord(store: StoreView, name: string, version: number): VersionRecord {
  const record = records.readRecord(store, name, version)
  if (record) return record
  throw new EdgeError('store-corrupt', `the store has no ${versionKey({ name, version })}, which is live`)
}

export const setPointer = (name: string, pointer: UnitPointer): Effect => ({
  operation: 'SET',
  key: records.pointerKey(name),
  value: JSON.stringify(pointer),
})

const removeRecord = (name: string, version: number): Effect => ({
  operation: 'DELETE',
  key: records.recordKey(name, version),
})
