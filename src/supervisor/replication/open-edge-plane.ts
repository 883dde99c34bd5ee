/** What edges of this node are told, and what is kept of the log for them. */
import type { Clock } from '../../base/clock.ts'
import { systemTimers } from '../../base/timers.ts'
import { VERSION } from '../../base/version.ts'
import type { Config } from '../../config/schema.ts'
import { EdgePlane } from '../../replication/edge-plane.ts'
import { storeFeed } from '../../replication/store-feed.ts'
import { feedSources } from '../../kv/replication/log-ends.ts'
import type { RotatableSecrets } from '../../store/secrets.ts'
import type { SqliteStore } from '../../store/sqlite-store.ts'
import { selfState } from '../dns/edge-states.ts'
import type { MachineLoad } from '../dns/machine-load.ts'
import type { KvService } from '../kv-service.ts'
import type { Log } from '../log.ts'
import type { StoreLink } from './store-link.ts'

export interface EdgePlaneParts {
  readonly config: Config
  readonly directory: string
  readonly store: SqliteStore
  readonly kv: KvService
  readonly link: StoreLink
  readonly secrets: RotatableSecrets
  readonly clock: Clock
  readonly log: Log
  readonly machine: MachineLoad
}

export function openEdgePlane(parts: EdgePlaneParts): EdgePlane {
  const { config, directory, store, kv, link, secrets, clock, log, machine } = parts
  const { name = '', groups } = config.node
  const plane = new EdgePlane({
    clock,
    timers: systemTimers,
    directory,
    sources: [storeFeed(store, (id) => link.mayBeBehind(id)), ...feedSources(kv.ports.feed)],
    welcome: () => ({ control: config.node.name ?? '', version: VERSION, key: secrets.print() }),
    self: () => selfState({ name, groups, clock, load: machine.load }),
    warn: (line) => log.warn(line),
  })
  kv.ports.feed.onAppended(() => plane.advanced())
  return plane
}
