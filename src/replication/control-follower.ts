/**
 * An edge's way to its control plane: one connection on which it is told what is new, resumed from where the replica stands, and small requests
 * on which it says how far it is.
 *
 * Whatever goes wrong on the way (a cut in the middle of an entry, a silence, garbage) ends the connection; what was applied is on the disk, and
 * the next one goes on from there, later and later, with chance in it. The control planes that are named are tried in turn.
 */
import { backOffMs } from '../base/back-off.ts'
import { EdgeError } from '../base/errors.ts'
import { every, type Timers } from '../base/timers.ts'
import type { EdgeHello, EdgeReport } from '../contract/replication.ts'
import { SILENCE_MAX_MS } from '../contract/replication.ts'
import type { ControlTransport, FeedConnection } from './control-transport.ts'
import { FeedTaker, type FeedTakerOptions } from './feed-taker.ts'

export interface ControlFollowerOptions extends Pick<
  FeedTakerOptions,
  'logs' | 'onAdvanced' | 'onCaughtUp' | 'onProgress' | 'onTime' | 'onEdges'
> {
  readonly controls: readonly string[]
  readonly transport: ControlTransport
  readonly timers: Timers
  readonly hello: () => Omit<EdgeHello, 'positions'>
  /** How busy this machine is, from 0 to 1. */
  readonly load?: () => number | undefined
  readonly random: () => number
  /** Which key secrets are sealed with there, before anything that is sealed with it is taken. */
  readonly onKey: (print: string, ask: Ask) => Promise<void>
  /** Undefined: it is over. */
  readonly onTrouble: (error: EdgeError | undefined) => void
}

/** Asks the control plane something, by JSON. Throws `EdgeError`. */
export type Ask = (method: 'GET' | 'POST', path: string, body?: unknown) => Promise<unknown>

/** How often an edge is heard of, where nothing happens. */
const REPORT_EVERY_MS = 15_000
/** One that failed is said again. */
const REPORT_AGAIN_MS = 500

/** From a start to the close that ends it. */
interface Run {
  isOver: boolean
  connection: FeedConnection | undefined
  readonly callOffReports: () => void
  callOffWait: () => void
}

export class ControlFollower {
  readonly #options: ControlFollowerOptions
  #index = 0
  #failures = 0
  #run: Run | undefined
  #report: EdgeReport | undefined
  /** Reports under way, by control plane, and who has not been told the latest. */
  readonly #underWay = new Map<string, Promise<void>>()
  readonly #untold = new Set<string>()
  #isTroubled = false

  constructor(options: ControlFollowerOptions) {
    this.#options = options
  }

  /** The control plane that is followed, or tried, now. */
  get control(): string {
    return this.#options.controls[this.#index]!
  }

  get isConnected(): boolean {
    return this.#run?.connection !== undefined && this.#failures === 0
  }

  /** Also after `close`. */
  start(): void {
    if (this.#run) return
    const callOffReports = every(this.#options.timers, REPORT_EVERY_MS, () => this.#sendReport())
    this.#run = { isOver: false, connection: undefined, callOffReports, callOffWait: () => {} }
    void this.#follow(this.#run)
  }

  /** What this edge runs: said now, and again after each connect. */
  report(report: EdgeReport): void {
    this.#report = report
    this.#sendReport()
  }

  /** This machine is busier, or less, than it was. */
  tellLoad(): void {
    this.#sendReport()
  }

  /** Says that this edge ends in order, and follows no more. */
  async leave(): Promise<void> {
    const report = this.#report
    this.close()
    if (!report) return
    // One that comes in after it would say that this edge is there.
    await Promise.all(this.#underWay.values())
    const { controls, transport } = this.#options
    const last: EdgeReport = { ...report, isLeaving: true }
    await Promise.allSettled(
      controls.map((control) => transport.ask(control, 'POST', '/v1/edges/report', last)),
    )
    transport.close()
  }

  close(): void {
    const run = this.#run
    this.#run = undefined
    if (!run) return
    run.isOver = true
    run.callOffReports()
    run.callOffWait()
    run.connection?.cut()
  }

  readonly ask: Ask = (method, path, body) => this.#options.transport.ask(this.control, method, path, body)

  async #follow(run: Run): Promise<void> {
    const { controls, timers, random } = this.#options
    while (!run.isOver) {
      const error: EdgeError = await this.#connect(run).then(
        () => new EdgeError('control-unreachable', `${this.control} ended the connection`),
        (thrown: Error) => (thrown instanceof EdgeError ? thrown : unusable(this.control, thrown)),
      )
      run.connection = undefined
      if (run.isOver) return
      this.#failures++
      // One cut connection is nothing to tell: the next one goes on.
      if (this.#failures > 1 || !isPassing(error)) this.#trouble(error)
      this.#index = (this.#index + 1) % controls.length
      await new Promise<void>((resolve) => {
        const callOff = timers.later(backOffMs(this.#failures, random), resolve)
        run.callOffWait = () => (callOff(), resolve())
      })
    }
  }

  /** Resolves where the control plane ends the connection; rejects for everything else. */
  async #connect(run: Run): Promise<void> {
    const { hello, logs, transport, timers, onKey } = this.#options
    const positions = Object.fromEntries([...logs].map(([name, log]) => [name, log.position()]))
    const connection = transport.follow(this.control, { ...hello(), positions })
    run.connection = connection
    const taker = new FeedTaker({
      ...this.#options,
      onKey: (print) => onKey(print, this.ask),
      onWelcome: () => this.#welcomed(),
    })
    const silent = new Error(`nothing was heard for ${SILENCE_MAX_MS} ms`)
    const listen = () => timers.later(SILENCE_MAX_MS, () => connection.cut(silent))
    let callOffSilence = listen()
    try {
      for await (const chunk of connection.chunks) {
        if (run.isOver) return
        callOffSilence()
        await taker.push(chunk)
        callOffSilence = listen()
      }
    } finally {
      callOffSilence()
      taker.end()
      connection.cut()
    }
  }

  #welcomed(): void {
    this.#failures = 0
    this.#trouble(undefined)
    this.#sendReport()
  }

  #trouble(error: EdgeError | undefined): void {
    if (error === undefined && !this.#isTroubled) return
    this.#isTroubled = error !== undefined
    this.#options.onTrouble(error)
  }

  /** Also to those that it does not follow: who publishes there waits for this edge, too. */
  #sendReport(): void {
    for (const control of this.#options.controls) {
      this.#untold.add(control)
      this.#tell(control)
    }
  }

  #tell(control: string): void {
    const { transport, timers } = this.#options
    const report = this.#report
    if (!report || !this.#run || this.#underWay.has(control)) return
    const isFollowed = control === this.control
    // That one is told when it has let this edge in.
    if (isFollowed && !this.isConnected) return
    this.#untold.delete(control)
    const now = { ...report, load: this.#options.load?.() }
    const told = transport.ask(control, 'POST', '/v1/edges/report', now).then(
      () => {
        this.#underWay.delete(control)
        if (this.#untold.has(control)) this.#tell(control)
      },
      () => {
        this.#underWay.delete(control)
        // The stream tells what is wrong; where it goes on, so does this. Others are told with the next report.
        if (isFollowed) timers.later(REPORT_AGAIN_MS, () => this.#tell(control))
      },
    )
    this.#underWay.set(control, told)
  }
}

const unusable = (control: string, error: Error): EdgeError =>
  new EdgeError('control-unreachable', `${control}: ${error.message}`, { cause: error })

/** Passes by itself: it is no news the first time. */
export const isPassing = ({ code }: EdgeError): boolean =>
  code === 'control-unreachable' || code === 'store-diverged'
