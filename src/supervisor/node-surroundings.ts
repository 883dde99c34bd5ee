/** What a node is made of and stands in: given by `supervisor.ts`, which starts and ends it all. */
import type { Clock } from '../base/clock.ts'
import type { SharedWords } from '../base/shared-words.ts'
import type { Config } from '../config/schema.ts'
import type { Environment } from '../config/telemetry.ts'
import type { RequestTrace } from '../contract/messages.ts'
import type { UpgradeResult } from '../control/shapes.ts'
import type { EdgePlane } from '../replication/edge-plane.ts'
import type { SqliteStore } from '../store/sqlite-store.ts'
import type { RotatableBox } from './store/secret-rotation.ts'
import type { Bundles } from '../sandbox/bundle-files.ts'
import type { CacheDisks } from './cache-disks.ts'
import type { ConfigFile } from './config-file.ts'
import type { EdgeStates } from './dns/edge-states.ts'
import type { Follower } from './followers.ts'
import type { KvService } from './kv-service.ts'
import type { Log } from './log.ts'
import type { LimitRegions } from './limits/limit-regions.ts'
import type { ListenSockets } from './listen-sockets.ts'
import type { PacketPlane } from './packet-plane.ts'
import type { StoreLink } from './replication/store-link.ts'
import type { UnitBuilder } from './changes/unit-builder.ts'
import type { PoolTime } from './workers/worker-pool.ts'
import type { ToldWorker } from './workers/told-worker.ts'

export interface NodeSurroundings {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly store: SqliteStore
  readonly link: StoreLink
  /** Undefined: this node is an edge. */
  readonly plane: EdgePlane | undefined
  readonly edgeStates: EdgeStates
  readonly kv: KvService
  readonly disks: CacheDisks
  /** The data directory. */
  readonly directory: string
  readonly shared: SharedWords
  readonly builder: UnitBuilder
  readonly secrets: RotatableBox & { key(): string }
  readonly file: ConfigFile
  readonly rootToken: Follower
  /** Of the program, for what OpenTelemetry's variables say. */
  readonly environment: Environment
  readonly bundles: Bundles
  readonly sockets: ListenSockets
  /** By them processes know what has changed in key/value data. */
  readonly kvWords: SharedWords
  /** Where limits count. */
  readonly limits: LimitRegions
  /** By them workers find what the others have in their caches; absent where there is one worker. Their sockets lie beside. */
  readonly siblings?: SharedWords | undefined
  readonly packet: PacketPlane
  /** Of a program that hands over, whose workers still run for a while. */
  readonly before?: {
    readonly ticketKeys: readonly Uint8Array[]
    readonly keeper: ToldWorker
  }
  upgrade(): Promise<UpgradeResult>
  readonly workerEntry?: string
  readonly poolTime?: PoolTime
  /** Told of every request, where somebody asks for that. */
  readonly onTrace?: (trace: RequestTrace) => void
}
