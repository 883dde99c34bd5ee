/** The certificates of a node and how they are wired: files, the log, the ACME authority, workers, edges. */
import type { Clock } from '../../base/clock.ts'
import type { Config, SiteConfig } from '../../config/schema.ts'
import type { SecretBox } from '../../contract/secrets.ts'
import type { Effect, Position } from '../../contract/store.ts'
import type { TlsMaterial } from '../../contract/tls.ts'
import type { EdgePlane } from '../../replication/edge-plane.ts'
import { appendPlanned } from '../../replication/store-writer.ts'
import type { SqliteStore } from '../../store/sqlite-store.ts'
import { AcmeKeeper } from './acme-keeper.ts'
import type { Follower } from '../followers.ts'
import type { Log } from '../log.ts'
import { instanceOf, type StoreLink } from '../replication/store-link.ts'
import { StoredCertificates } from './stored-certificates.ts'
import { TlsKeeper } from './tls-keeper.ts'
import type { Turns } from '../turns.ts'

export interface NodeCertificatesParts {
  readonly config: Config
  /** The data directory. */
  readonly directory: string
  readonly clock: Clock
  readonly log: Log
  readonly store: SqliteStore
  readonly secrets: SecretBox
  readonly link: StoreLink
  /** Undefined: this node is an edge. */
  readonly plane: EdgePlane | undefined
  readonly turns: Turns
  /** Those of the program before, whose sessions go on. */
  readonly ticketKeys: readonly Uint8Array[]
  /** Resolves when all workers use it. */
  readonly useTls: (material: TlsMaterial) => Promise<void>
}

/** How long edges are waited for before an authority is told to look: it asks whichever it is led to. */
const EDGES_MAX_MS = 10_000
/** Edges that follow another control plane on the same engine are not known here; they have it by then. */
const OTHERS_MS = 1_500

export class NodeCertificates {
  readonly tls: TlsKeeper
  readonly stored: StoredCertificates
  readonly #parts: NodeCertificatesParts
  /** Undefined on an edge: it takes what its control plane has got. */
  readonly #acme: AcmeKeeper | undefined

  constructor(parts: NodeCertificatesParts) {
    this.#parts = parts
    const { config, link } = parts
    const tls = new TlsKeeper({ ...parts, edge: config.edge, onChange: parts.useTls })
    this.tls = tls
    this.stored = new StoredCertificates({ ...parts, onChange: (set) => tls.useStored(set) })
    // No worker is there yet: each asks for it when it starts.
    void tls.useStored(this.stored.set)
    if (link.follows === undefined) {
      this.#acme = new AcmeKeeper({
        ...parts,
        stored: this.stored,
        isShared: link.engine !== undefined,
        holder: () => instanceOf(parts.directory),
        write: (plan) => this.write(plan),
        everywhere: (position) => this.#everywhere(position),
      })
    } else if (config.edge.acme !== undefined) {
      parts.log.warn(`edge.acme: an edge orders no certificates; it takes those that ${link.follows} has got`)
    }
  }

  get followers(): readonly Follower[] {
    return this.#acme ? [this.tls, this.#acme] : [this.tls]
  }

  /** Appends what is planned when no change is under way: the key of secrets does not change meanwhile, either. */
  write(plan: () => readonly Effect[]): Promise<Position> {
    const { turns, store, link } = this.#parts
    return turns.take(() => appendPlanned(store, link.writer, plan))
  }

  /** The store may have moved. Resolves when all workers use what it has. */
  refresh(): Promise<void> {
    return this.stored.refresh()
  }

  useSites(sites: readonly SiteConfig[]): void {
    this.#acme?.useSites(sites)
  }

  /** To be called before workers start: they are asked for certificates from their first connection on. */
  async prepare(sites: readonly SiteConfig[]): Promise<void> {
    this.#acme?.useSites(sites)
    await this.#acme?.takeFiles()
  }

  start(): void {
    this.tls.start()
    this.#acme?.start()
  }

  stop(): void {
    this.tls.stop()
    this.#acme?.stop()
  }

  async #everywhere(position: Position): Promise<void> {
    const { plane, link } = this.#parts
    await this.refresh()
    const here = plane?.edges().filter(({ presence }) => presence === 'connected') ?? []
    const names = here.map(({ name }) => name)
    if (names.length > 0) await plane!.wait({ kind: 'named', names }, position, EDGES_MAX_MS)
    if (link.engine) await new Promise((resolve) => setTimeout(resolve, OTHERS_MS))
  }
}
