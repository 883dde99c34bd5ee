/** An edge: follows a control plane over the network, and puts live what it is told. */
import { REPLICATION_PROTOCOL } from '../../src/contract/replication.ts'
import { versionKey } from '../../src/contract/unit.ts'
import { UNITS_LOG } from '../../src/contract/shared-log.ts'
import { ControlFollower } from '../../src/replication/control-follower.ts'
import type { ControlTransport } from '../../src/replication/control-transport.ts'
import type { FollowedLog } from '../../src/replication/feed-taker.ts'
import type { Disk } from './disks.ts'
import { ProcessTime, ServingNode, type Surroundings } from './simulated-node.ts'

export interface EdgeParts extends Surroundings {
  readonly name: string
  readonly disk: Disk
  readonly skewMs: number
  /** Where in the log the program before was live. */
  readonly liveBefore: number | undefined
  readonly controls: readonly string[]
  readonly transport: ControlTransport
  /** Its replica; another one than the store's own, where a simulation breaks the rules. */
  readonly replica: (log: FollowedLog) => FollowedLog
}

const CONTROL = 'control'

export class SimulatedEdge {
  readonly name: string
  readonly disk: Disk
  readonly time: ProcessTime
  readonly #parts: EdgeParts
  readonly #follower: ControlFollower
  serving: ServingNode | undefined

  constructor(parts: EdgeParts) {
    const { name, disk, network, recorder } = parts
    const { store } = disk
    this.#parts = parts
    this.name = name
    this.disk = disk
    this.time = new ProcessTime(network, parts.skewMs)
    network.enter(name)
    let hasKey = store.keeper() !== undefined
    this.#follower = new ControlFollower({
      controls: parts.controls,
      transport: parts.transport,
      timers: this.time,
      hello: () => ({
        protocol: REPLICATION_PROTOCOL,
        name,
        instance: name,
        groups: [],
        addresses: [],
        version: '0',
      }),
      logs: new Map([
        [
          UNITS_LOG,
          parts.replica({
            position: () => store.position(),
            apply: (entries) => void store.apply(entries),
            load: (position) => store.load(position, CONTROL),
          }),
        ],
      ]),
      random: () => network.random.below(1000) / 1000,
      async onKey(_print, ask) {
        if (!hasKey) await ask('GET', '/v1/edges/key')
        hasKey = true
      },
      onAdvanced: () => {
        recorder.add(name, { kind: 'advanced', at: store.position() })
        this.serving?.following.advanced()
      },
      onCaughtUp: () => this.#serve(),
      onProgress: () => {},
      onTrouble: (error) => recorder.note(name, error?.message ?? 'the control plane is followed again'),
    })
    this.#follower.start()
    if (store.keeper() !== undefined) this.#serve()
  }

  kill(): void {
    this.time.end()
    this.#parts.network.leave(this.name)
    this.#follower.close()
    this.serving = undefined
  }

  /** As a program does that is to be replaced, and is not in the end. */
  suspend(): void {
    this.#follower.close()
  }

  resume(): void {
    this.#follower.start()
  }

  #serve(): void {
    if (this.serving) return
    const serving: ServingNode = new ServingNode(this.name, this.#parts, this.disk, this.time, true, () =>
      this.#report(serving),
    )
    this.serving = serving
    // What was live before is not there any more, or nothing was: it takes what there is.
    const { liveBefore = -1 } = this.#parts
    if (liveBefore < this.disk.store.base().id) {
      const took = serving.epochs.live.units.map(versionKey)
      this.#parts.recorder.add(this.name, { kind: 'took', took })
    }
    void serving.start().then(() => {
      serving.following.advanced()
      this.#report(serving)
    })
  }

  #report({ epochs, following, pool }: ServingNode): void {
    const { epoch, enabled } = epochs.live
    const { position: live, rejected } = following
    const workers = { live: pool.ready().length, of: pool.size }
    const stored = this.disk.store.position()
    this.#follower.report({
      name: this.name,
      instance: this.name,
      live,
      stored,
      epoch,
      enabled,
      workers,
      rejected,
    })
  }
}
