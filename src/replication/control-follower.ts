/**
 * An edge's way to its control plane: one connection on which it is told what is new, resumed from where the replica stands, and small requests
 * on which it says how far it is.
 *
 * Whatever goes wrong on the way (a cut in the middle of an entry, a silence, garbage) ends the connection; what was applied is on the disk, and
 * the next one goes on from there, later and later, with chance in it. The control planes that are named are tried in turn.
 */
import { readFileSync } from 'node:fs'
import * as http from 'node:http'
import * as https from 'node:https'
import { EdgeError } from '../base/errors.ts'
import { EventReader } from '../base/server-events.ts'
import type { EdgeHello, EdgeReport, FeedEvent } from '../contract/replication.ts'
import { SILENCE_MAX_MS } from '../contract/replication.ts'
import type { LogEntry, Position, SnapshotLoad } from '../contract/store.ts'
import { backOffMs } from './back-off.ts'

/** A log's replica here. */
export interface FollowedLog {
  position(): Position
  apply(entries: readonly LogEntry[]): void
  load(position: Position): SnapshotLoad
}

export interface JoinProgress {
  readonly log: string
  readonly entries: number
  readonly of: number
  readonly bytes: number
  readonly ofBytes: number
}

export interface ControlFollowerOptions {
  readonly controls: readonly string[]
  readonly token: () => string
  /** Path of a PEM file. */
  readonly ca: string | undefined
  readonly hello: () => Omit<EdgeHello, 'positions'>
  readonly logs: ReadonlyMap<string, FollowedLog>
  readonly random: () => number
  /** Which key secrets are sealed with there, before anything that is sealed with it is taken. */
  readonly onKey: (print: string, ask: Ask) => Promise<void>
  readonly onAdvanced: (log: string) => void
  /** Everything that was there at the connect is here. */
  readonly onCaughtUp: () => void
  readonly onProgress: (progress: JoinProgress) => void
  /** Undefined: it is over. */
  readonly onTrouble: (error: EdgeError | undefined) => void
}

/** Asks the control plane something, by JSON. Throws `EdgeError`. */
export type Ask = (method: 'GET' | 'POST', path: string, body?: unknown) => Promise<unknown>

const ANSWER_MAX_MS = 10_000
/** How often an edge is heard of, where nothing happens. */
const REPORT_EVERY_MS = 15_000
/** An event that is longer is none of ours. */
const EVENT_CHARACTERS_MAX = 64 * 1024 ** 2

export class ControlFollower {
  readonly #options: ControlFollowerOptions
  readonly #agent: http.Agent
  #index = 0
  #failures = 0
  #isClosed = false
  #connection: http.ClientRequest | undefined
  #timer: NodeJS.Timeout | undefined
  #reportTimer: NodeJS.Timeout | undefined
  #report: EdgeReport | undefined
  #reporting = false
  #isReportNew = false
  #isTroubled = false

  constructor(options: ControlFollowerOptions) {
    this.#options = options
    const { ca } = options
    const isTls = options.controls.some((url) => url.startsWith('https:'))
    this.#agent = isTls
      ? new https.Agent({ keepAlive: true, maxSockets: 4, ...(ca !== undefined && { ca: readFileSync(ca) }) })
      : new http.Agent({ keepAlive: true, maxSockets: 4 })
  }

  /** The control plane that is followed, or tried, now. */
  get control(): string {
    return this.#options.controls[this.#index]!
  }

  get isConnected(): boolean {
    return this.#connection !== undefined && this.#failures === 0
  }

  /** Also after `close`. */
  start(): void {
    this.#isClosed = false
    void this.#run()
    this.#reportTimer = setInterval(() => this.#sendReport(), REPORT_EVERY_MS)
  }

  /** What this edge runs: said now, and again after each connect. */
  report(report: EdgeReport): void {
    this.#report = report
    this.#isReportNew = true
    this.#sendReport()
  }

  /** Says that this edge ends in order, and follows no more. */
  async leave(): Promise<void> {
    const report = this.#report
    this.close()
    if (!report) return
    await this.ask('POST', '/v1/edges/report', { ...report, isLeaving: true }).catch(() => undefined)
    this.#agent.destroy()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    clearInterval(this.#reportTimer)
    this.#connection?.destroy()
  }

  readonly ask: Ask = async (method, path, body) => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const request = this.#request(method, path, body)
    const timer = setTimeout(
      () => request.destroy(new Error(`no answer within ${ANSWER_MAX_MS} ms`)),
      ANSWER_MAX_MS,
    )
    request.on('error', (error) => reject(unreachable(this.control, error)))
    request.on('response', (response) => {
      readAll(response).then((text) => {
        if (response.statusCode === 200) resolve(text === '' ? undefined : JSON.parse(text))
        else reject(problemOf(this.control, response.statusCode ?? 0, text))
      }, reject)
    })
    request.end(body === undefined ? undefined : JSON.stringify(body))
    return promise.finally(() => clearTimeout(timer))
  }

  #request(method: string, path: string, body: unknown): http.ClientRequest {
    const url = new URL(path, this.control)
    const { request } = url.protocol === 'https:' ? https : http
    return request(url, {
      method,
      agent: this.#agent,
      headers: {
        authorization: `Bearer ${this.#options.token()}`,
        accept: 'text/event-stream, application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
    })
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const error = await this.#follow().then(
        () => new EdgeError('control-unreachable', `${this.control} ended the connection`),
        (thrown: Error) => (thrown instanceof EdgeError ? thrown : unreachable(this.control, thrown)),
      )
      this.#connection = undefined
      if (this.#isClosed) return
      this.#failures++
      // One cut connection is nothing to tell: the next one goes on.
      if (this.#failures > 1 || !isPassing(error)) this.#trouble(error)
      this.#index = (this.#index + 1) % this.#options.controls.length
      await new Promise<void>((resolve) => {
        this.#timer = setTimeout(resolve, backOffMs(this.#failures, this.#options.random))
      })
    }
  }

  #trouble(error: EdgeError | undefined): void {
    if (error === undefined && !this.#isTroubled) return
    this.#isTroubled = error !== undefined
    this.#options.onTrouble(error)
  }

  /** Resolves where the control plane ends the stream; rejects for everything else. */
  async #follow(): Promise<void> {
    const { hello, logs } = this.#options
    const positions = Object.fromEntries([...logs].map(([name, log]) => [name, log.position()]))
    const body: EdgeHello = { ...hello(), positions }
    const request = this.#request('POST', '/v1/edges/follow', body)
    this.#connection = request
    const loads = new Map<string, Load>()
    try {
      const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
        request.on('response', resolve)
        request.on('error', reject)
        request.setTimeout(SILENCE_MAX_MS, () =>
          request.destroy(new Error(`nothing was heard for ${SILENCE_MAX_MS} ms`)),
        )
        request.end(JSON.stringify(body))
      })
      if (response.statusCode !== 200)
        throw problemOf(this.control, response.statusCode ?? 0, await readAll(response))
      const reader = new EventReader()
      for await (const chunk of response) {
        for (const { event, data } of reader.push(chunk as Uint8Array))
          await this.#take(parseEvent(event, data), loads)
        if (reader.waiting > EVENT_CHARACTERS_MAX)
          throw new EdgeError('control-unreachable', `${this.control} sends an event without an end`)
        if (this.#isClosed) return
      }
    } finally {
      for (const { load } of loads.values()) load.abort()
      request.destroy()
    }
  }

  async #take(event: FeedEvent, loads: Map<string, Load>): Promise<void> {
    const { logs, onKey, onAdvanced, onProgress } = this.#options
    switch (event.event) {
      case 'welcome':
        await onKey(event.key, this.ask)
        this.#failures = 0
        this.#trouble(undefined)
        this.#isReportNew = true
        return this.#sendReport()
      case 'entries':
        logs.get(event.log)?.apply(event.entries)
        return onAdvanced(event.log)
      case 'reset': {
        await onKey(event.key, this.ask)
        loads.get(event.log)?.load.abort()
        const load = logs.get(event.log)?.load(event.position)
        const { count: of, bytes: ofBytes } = event
        if (load) loads.set(event.log, { load, entries: 0, of, bytes: 0, ofBytes })
        return
      }
      case 'state': {
        const loading = loads.get(event.log)
        if (!loading) return
        loading.load.add(event.pairs)
        loading.entries += event.pairs.length
        for (const [key, value] of event.pairs) loading.bytes += key.length + value.length
        const { load: _load, ...progress } = loading
        return onProgress({ log: event.log, ...progress })
      }
      case 'loaded': {
        loads.get(event.log)?.load.commit()
        loads.delete(event.log)
        return onAdvanced(event.log)
      }
      default:
        // Nothing more to tell than that it is there: so everything is here.
        return this.#options.onCaughtUp()
    }
  }

  #sendReport(): void {
    const report = this.#report
    if (!report || this.#reporting || this.#isClosed || !this.isConnected) return
    this.#reporting = true
    this.#isReportNew = false
    this.ask('POST', '/v1/edges/report', report)
      // The stream tells what is wrong; it is said again with the next connect.
      .catch(() => undefined)
      .finally(() => {
        this.#reporting = false
        if (this.#isReportNew) this.#sendReport()
      })
  }
}

interface Load {
  readonly load: SnapshotLoad
  entries: number
  readonly of: number
  bytes: number
  readonly ofBytes: number
}

function parseEvent(event: string, data: string): FeedEvent {
  try {
    return { event, ...(JSON.parse(data) as object) } as FeedEvent
  } catch (error) {
    throw new EdgeError('control-unreachable', 'what came from the control plane is no event of it', {
      cause: error,
    })
  }
}

async function readAll(response: http.IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of response) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks).toString()
}

const unreachable = (control: string, error: Error): EdgeError =>
  new EdgeError('control-unreachable', `${control}: ${error.message}`, { cause: error })

/** Passes by itself: it is no news the first time. */
const isPassing = ({ code }: EdgeError): boolean =>
  code === 'control-unreachable' || code === 'store-diverged'

/** What a control plane says is in the words of its problem details (RFC 9457). */
function problemOf(control: string, status: number, text: string): EdgeError {
  let detail = `answered ${status}`
  let code: unknown
  try {
    const problem = JSON.parse(text) as { detail?: unknown; code?: unknown }
    if (typeof problem.detail === 'string') ({ detail } = problem as { detail: string })
    ;({ code } = problem)
  } catch {
    // Something else than a control plane answers there.
  }
  const known = status === 401 ? 'unauthorized' : status === 403 ? 'forbidden' : code
  const message = `${control}: ${detail}`
  switch (known) {
    case 'unauthorized':
    case 'forbidden':
    case 'edge-conflict':
    case 'request-invalid':
    case 'edge-unknown':
    case 'kv-refused':
    case 'kv-unavailable':
      return new EdgeError(known, message)
    default:
      return new EdgeError('control-unreachable', message)
  }
}
