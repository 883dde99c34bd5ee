/** The store of this node as the admin API sees it: where it is kept, what stands in its log, and the way back in it. */
import { statSync } from 'node:fs'
import type { Clock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import type { Config } from '../../config/schema.ts'
import { UNITS_LOG } from '../../contract/shared-log.ts'
import type { SecretBox } from '../../contract/secrets.ts'
import type { StoreView } from '../../contract/store.ts'
import type { ChangeOptions, ControlledNode, PastPoint, RestoreOptions } from '../../control/node.ts'
import type { ChangeResult } from '../../control/shapes.ts'
import type { RestoreResult, StoreStatus } from '../../control/store-shapes.ts'
import type { SqliteStore } from '../../store/sqlite-store.ts'
import { readRecord, toUnitVersion } from '../../unit/records.ts'
import type { CheckSignature } from '../../unit/signature.ts'
import type { Epochs } from '../workers/epochs.ts'
import type { Quarantines } from '../workers/quarantine.ts'
import { planRestoration, type Restoration } from './restoration.ts'
import type { StoreLink } from '../replication/store-link.ts'
import type { ChangeRequest, Plan } from '../changes/unit-changes.ts'

export interface NodeStoreParts {
  readonly config: Config
  readonly clock: Clock
  readonly store: SqliteStore
  readonly link: StoreLink
  readonly secrets: SecretBox
  readonly edges: Pick<ControlledNode, 'edges'>
  readonly checkSignature: CheckSignature
  readonly make: (request: ChangeRequest, options: ChangeOptions) => Promise<ChangeResult>
  readonly epochs: Epochs
  readonly quarantines: Quarantines
  readonly shareQuarantine: () => void
}

type StoreMethods = Pick<
  ControlledNode,
  'searchLog' | 'storeBase' | 'snapshot' | 'storeStatus' | 'verifyStore' | 'restore'
>

/** How long an engine is asked where its log ends, before it is shown without. */
const HEAD_MAX_MS = 3_000

export function nodeStore(parts: NodeStoreParts): StoreMethods {
  const { store } = parts
  return {
    searchLog: (search) => store.search(search),
    storeBase: () => store.base().id,
    snapshot: () => store.snapshot(),
    storeStatus: () => statusOf(parts),
    async verifyStore() {
      const verdict = await store.verifyGently()
      const { ok } = verdict
      return { ok, position: store.position(), ...(!ok && { id: verdict.id, problem: verdict.problem }) }
    },
    restore: (to, options) => restore(parts, to, options),
  }
}

async function restore(
  parts: NodeStoreParts,
  to: PastPoint,
  options: RestoreOptions,
): Promise<RestoreResult> {
  const { store, clock } = parts
  const id = 'id' in to ? to.id : store.idAt(to.ms)
  const past = pastOf(store, id)
  const { dryRun, ...waiting } = options
  const said = ({ units, sites, unitsEnabled }: Restoration) => ({
    to: id,
    from: from.id,
    units,
    sites,
    ...(unitsEnabled !== undefined && { unitsEnabled }),
    dryRun,
  })
  let from = store.position()
  let planned = planRestoration(store, past, clock.now())
  if (dryRun) {
    const workers = { workers: 0, of: 0 }
    return { ...said(planned), epoch: 0, live: workers, ms: 0, timings: {} }
  }
  const { epoch, live, edges, ms, timings } = await parts.make(
    {
      name: `the state of position ${id}`,
      plan(): Plan {
        from = store.position()
        planned = planRestoration(store, past, clock.now())
        const others = planned.live.map(({ name, version }) => versionOf(parts, past, name, version))
        return { name: `the state of position ${id}`, version: 0, effects: planned.effects, others }
      },
      onLive() {
        // Whoever goes back by hand wants it to run.
        const freed = planned.live.map((unit) => parts.quarantines.release(unit))
        const isLess = parts.quarantines.keepOnly(parts.epochs.live)
        if (isLess || freed.includes(true)) parts.shareQuarantine()
      },
    },
    waiting,
  )
  return { ...said(planned), epoch, live, ...(edges && { edges }), ms, timings }
}

/** Throws where it may not run, or its secrets do not open. */
function versionOf(
  { secrets, checkSignature }: NodeStoreParts,
  past: StoreView,
  name: string,
  version: number,
) {
  const record = readRecord(past, name, version)
  if (!record)
    throw new EdgeError('store-corrupt', `the store had no ${name}@${version} then, which was live`)
  checkSignature(name, record)
  return toUnitVersion(name, version, record, secrets)
}

function pastOf(store: SqliteStore, id: number): StoreView {
  const [base, end] = [store.base(), store.position()]
  if (id > end.id)
    throw new EdgeError('request-invalid', `there is no position ${id}: the log ends at ${end.id}`)
  if (id < base.id)
    throw new EdgeError(
      'log-trimmed',
      `position ${id} is not kept any more: the first one that is kept is ${base.id}`,
    )
  return store.at(id)
}

async function statusOf({ config, store, link, edges }: NodeStoreParts): Promise<StoreStatus> {
  const { keep, keepForEdges } = config.store.log
  const [position, base, keeper] = [store.position(), store.base(), store.keeper()]
  const engine = link.engine && (await engineOf(link.engine))
  return {
    kind: config.store.kind,
    path: store.path,
    fileBytes: bytesOf(store.path) + bytesOf(`${store.path}-wal`),
    position,
    base,
    entries: position.id - base.id,
    keys: store.size(),
    ...(keeper !== undefined && { keeper }),
    ...(link.follows !== undefined && {
      control: { url: link.follows, isConnected: link.isFollowing?.() ?? true },
    }),
    keep: { entries: keep, entriesForEdges: keepForEdges },
    ...(engine && { engine }),
    edges: edges
      .edges()
      .filter(({ role }) => role === 'edge' && link.follows === undefined)
      .map(({ name, presence, position: at, lag }) => ({ name, presence, position: at, lag })),
  }
}

async function engineOf(
  engine: NonNullable<StoreLink['engine']>,
): Promise<NonNullable<StoreStatus['engine']>> {
  const late = Promise.withResolvers<undefined>()
  const timer = setTimeout(late.resolve, HEAD_MAX_MS, undefined)
  const head = engine
    .log(UNITS_LOG)
    .head()
    .catch(() => undefined)
  const [{ kind: _kind, members, version, problem, term, isHealthy }, position] = await Promise.all([
    engine.status(),
    Promise.race([head, late.promise]),
  ]).finally(() => clearTimeout(timer))
  return {
    address: engine.address,
    isHealthy,
    ...(version !== undefined && { version }),
    ...(problem !== undefined && { problem }),
    ...(term !== undefined && { term }),
    members: members.map(({ note, lag, ...member }) => ({
      ...member,
      ...(note !== undefined && { note }),
      ...(lag !== undefined && { lag }),
    })),
    ...(position && { position }),
  }
}

const bytesOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0
