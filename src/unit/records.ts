/**
 * How units lie in the store, and how they are read from it.
 *
 *     unit/NAME                  UnitPointer: which version is live, which were before, whether it is switched off
 *     unit-version/NAME/NUMBER   VersionRecord: everything of one version; written once; only a new key of secrets changes it, in the log too
 *     settings/units-enabled     "false" while all units are switched off
 *
 * Two prefixes, so that a list of units reads the small pointers and not the code. A removed unit keeps its pointer,
 * with `live` 0: its numbers are never given again, so `name@version` means one thing for ever, in logs as in caches.
 */
import { createHash } from 'node:crypto'
import { EdgeError } from '../base/errors.ts'
import type { UnitSet } from '../contract/messages.ts'
import type { SecretBox } from '../contract/secrets.ts'
import type { StoreView } from '../contract/store.ts'
import { isUnderWay, type LiveRollout, type Rollout } from '../contract/rollout.ts'
import type { CheckSignature } from './signature.ts'
import { versionKey, type Manifest, type UnitOrigin, type UnitVersion } from '../contract/unit.ts'

export const ENABLED_KEY = 'settings/units-enabled'
export const pointerKey = (name: string): string => `unit/${name}`
export const recordKey = (name: string, version: number): string => `unit-version/${name}/${version}`

export interface UnitPointer {
  /** The version that is live; 0 after the unit was removed. */
  readonly live: number
  /** Versions that were live before, the latest last: where a rollback goes, and what `lastGood` means. */
  readonly history: readonly number[]
  /** Versions whose records are in the store, ascending. */
  readonly kept: readonly number[]
  /** The highest number ever given. */
  readonly last: number
  readonly disabled: boolean
  /** Milliseconds since 1970 of the last change. */
  readonly at: number
  /** A newer version on its way, or how the last one went; `live` is the one before until it is through. */
  readonly rollout?: Rollout
}

export type EnvValue = { readonly plain: string } | { readonly sealed: string }

export interface VersionRecord {
  readonly code: string
  readonly sourceMap: string
  /** What the author sent, by path, and which of it is the entry: to look at, and to build again. */
  readonly files: Readonly<Record<string, string>>
  readonly entry: string
  readonly phases: number
  readonly manifest: Manifest
  readonly env: Readonly<Record<string, EnvValue>>
  /** Over name, code, phases and manifest: see `signature.ts`. */
  readonly signature?: string
  /** Absent: somebody deployed it. */
  readonly origin?: UnitOrigin
  /** Whoever deployed it was limited to these sites. Absent: to none. */
  readonly sites?: readonly string[]
  /** SHA-256 of `code`, hex. */
  readonly hash: string
  /** Milliseconds since 1970 when this version was made. */
  readonly at: number
}

export const secretContext = (name: string, key: string): string => `secret ${key} of unit ${name}`

export const codeHash = (code: string): string => createHash('sha256').update(code).digest('hex')

/** The unit's pointer, or undefined where there is no such unit. A removed one is only seen with `removed`. */
export function readPointer(store: StoreView, name: string, removed = false): UnitPointer | undefined {
  const text = store.get(pointerKey(name))
  if (text === undefined) return undefined
  const pointer = parsed<UnitPointer>(text, pointerKey(name))
  return pointer.live > 0 || removed ? pointer : undefined
}

/** All units that are not removed, by name. */
export function listPointers(store: StoreView): readonly (readonly [name: string, pointer: UnitPointer])[] {
  const prefix = pointerKey('')
  return store
    .list(prefix)
    .map(([key, text]) => [key.slice(prefix.length), parsed<UnitPointer>(text, key)] as const)
    .filter(([, pointer]) => pointer.live > 0)
}

export function readRecord(store: StoreView, name: string, version: number): VersionRecord | undefined {
  const key = recordKey(name, version)
  const text = store.get(key)
  return text === undefined ? undefined : parsed<VersionRecord>(text, key)
}

export const unitsEnabled = (store: StoreView): boolean => store.get(ENABLED_KEY) !== 'false'

/** A version as the data plane takes it, its secrets opened. */
export function toUnitVersion(
  name: string,
  version: number,
  record: VersionRecord,
  secrets: SecretBox,
): UnitVersion {
  const env = Object.fromEntries(
    Object.entries(record.env).map(([key, value]) => [
      key,
      'plain' in value ? value.plain : secrets.open(value.sealed, secretContext(name, key)),
    ]),
  )
  const { code, sourceMap, phases, manifest, origin, sites } = record
  const source = origin?.kind === 'source' ? { source: origin.source } : {}
  return { name, version, code, sourceMap, phases, manifest, env, ...source, ...(sites && { sites }) }
}

/** Versions that were read before, by `name@version`: a version never changes, so it is read and opened once. */
export type VersionCache = Map<string, UnitVersion>

/**
 * The set of units that the store says is live now; its epoch is the store's position. Throws rather than leave out a
 * unit that cannot be read: a set without an access unit would open what that unit guards. One whose signature is not right is
 * barred: it is in the set, matches as it says, and fails there, so that it stops neither the node nor changes of others. `identify` may tell
 * what was read from another version of that name and number.
 */
export function readUnits(
  store: StoreView,
  secrets: SecretBox,
  cache: VersionCache = new Map(),
  check: CheckSignature = () => {},
  identify: (unit: UnitVersion) => UnitVersion = (unit) => unit,
): UnitSet {
  const seen: VersionCache = new Map()
  const read = (name: string, version: number): UnitVersion => {
    const key = versionKey({ name, version })
    const unit = cache.get(key) ?? identify(readOrBar(store, name, version, secrets, check))
    seen.set(key, unit)
    return unit
  }
  const units: UnitVersion[] = []
  const lastGood: Record<string, UnitVersion> = {}
  const rollouts: Record<string, LiveRollout> = {}
  for (const [name, pointer] of listPointers(store)) {
    if (pointer.disabled) continue
    const unit = read(name, pointer.live)
    units.push(unit)
    const rollout = liveRollout(pointer.rollout, (version) => read(name, version))
    if (rollout) {
      rollouts[name] = rollout
      const isAlone = rollout.unit.manifest.onError !== 'lastGood' || unit.barred !== undefined
      if (!isAlone) lastGood[versionKey(rollout.unit)] = unit
    }
    const before = pointer.history.at(-1)
    if (unit.manifest.onError !== 'lastGood' || before === undefined) continue
    const good = read(name, before)
    if (good.barred === undefined) lastGood[name] = good
  }
  cache.clear()
  for (const [key, unit] of seen) cache.set(key, unit)
  const set = { epoch: store.position().id, enabled: unitsEnabled(store), units, lastGood }
  return Object.keys(rollouts).length > 0 ? { ...set, rollouts } : set
}

/** Undefined where nothing of it runs here. One that is barred runs nowhere: everybody has the version before. */
function liveRollout(
  rollout: Rollout | undefined,
  read: (version: number) => UnitVersion,
): LiveRollout | undefined {
  if (!isUnderWay(rollout)) return undefined
  const unit = read(rollout.version)
  if (unit.barred !== undefined) return undefined
  if (rollout.kind === 'staged')
    return { kind: 'staged', unit, stages: rollout.stages.slice(0, rollout.step + 1) }
  const { share, mayFetch } = rollout
  return rollout.state === 'paused'
    ? undefined
    : { kind: 'shadow', unit: { ...unit, shadow: { mayFetch } }, share }
}

function readOrBar(
  store: StoreView,
  name: string,
  version: number,
  secrets: SecretBox,
  check: CheckSignature,
): UnitVersion {
  try {
    return readVersion(store, name, version, secrets, check)
  } catch (error) {
    const record = readRecord(store, name, version)
    if (!(error instanceof EdgeError) || error.code !== 'unit-unsigned' || !record) throw error
    const { phases, manifest } = record
    return { name, version, code: '', sourceMap: '', phases, manifest, env: {}, barred: error.message }
  }
}

/** One version out of the store. Throws `store-corrupt` where a pointer names what is not there. */
export function readVersion(
  store: StoreView,
  name: string,
  version: number,
  secrets: SecretBox,
  check: CheckSignature = () => {},
): UnitVersion {
  const record = readRecord(store, name, version)
  if (record) {
    check(name, record)
    return toUnitVersion(name, version, record, secrets)
  }
  throw new EdgeError('store-corrupt', `the store has no ${versionKey({ name, version })}, which is in use`)
}

function parsed<T>(text: string, key: string): T {
  try {
    return JSON.parse(text) as T
  } catch (error) {
    throw new EdgeError('store-corrupt', `the value of ${key} is no JSON`, { cause: error })
  }
}
