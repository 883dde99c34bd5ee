/**
 * Tells each answered request to the logs that want it: which ones is sampling and a filter, and what they say is a line.
 *
 * A request that nobody logs costs one comparison in `Exchange.done`.
 */
import type { MetricSample } from '../../contract/messages.ts'
import type { AccessLogConfig } from '../../config/schema.ts'
import { lineFormat, type LineFormat } from './line-formats.ts'
import { LogFile } from './log-file.ts'
import { type LoggedRequest, type Moment, statusOf } from './logged-request.ts'

export interface AccessLog {
  /** Some line tells a header of the answer: its fields are to be kept. */
  readonly readsFields: boolean
  write(request: LoggedRequest, nowMs: number, durationMs: number): void
}

export interface AccessLogDeps {
  readonly node: string
  readonly worker: number
  /** The descriptor of the program's standard output. */
  readonly stdout: number
  readonly random: () => number
  readonly warn: (line: string) => void
}

/** The logs of a worker: one file a path, whoever writes to it. */
export class AccessLogs {
  readonly #deps: AccessLogDeps
  readonly #files = new Map<string, LogFile>()

  constructor(deps: AccessLogDeps) {
    this.#deps = deps
  }

  /** Undefined where nothing is to be logged. */
  open(configs: readonly AccessLogConfig[]): AccessLog | undefined {
    if (configs.length === 0) return undefined
    const { node, worker, random } = this.#deps
    const outlets = configs.map((config) => new Outlet(config, this.#file(config.path), random))
    const moment = { nowMs: 0, durationMs: 0, node, worker }
    return {
      readsFields: configs.some(({ fields }) => fields.some((name) => name.startsWith('response:'))),
      write(request, nowMs, durationMs) {
        moment.nowMs = nowMs
        moment.durationMs = durationMs
        for (const outlet of outlets) outlet.write(request, moment)
      },
    }
  }

  /** A line that is none of a request. What is not printable ASCII is escaped. */
  line(path: string, text: string): void {
    const plain = text.replaceAll(/[^ -~]/g, (character) => JSON.stringify(character).slice(1, -1))
    this.#file(path).append(`${plain.replaceAll(/[^ -~]/g, '?')}\n`)
  }

  #file(path: string): LogFile {
    let file = this.#files.get(path)
    if (file === undefined) {
      const { warn, stdout } = this.#deps
      file = new LogFile({ path, warn, ...(path === 'stdout' && { fd: stdout }) })
      this.#files.set(path, file)
    }
    return file
  }

  reopen(): void {
    for (const file of this.#files.values()) file.reopen()
  }

  /** What waits is written, as far as disks allow. */
  async close(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.close()))
  }

  samples(): MetricSample[] {
    return [...this.#files.values()].flatMap(({ path, written, dropped }) => [
      { name: 'orla_access_log_lines_total', labels: { path }, value: written },
      { name: 'orla_access_log_dropped_total', labels: { path }, value: dropped },
    ])
  }
}

class Outlet {
  readonly #file: LogFile
  readonly #format: LineFormat
  readonly #sample: number
  readonly #random: () => number
  /** By status. */
  readonly #always: Uint8Array
  readonly #only: Uint8Array | undefined
  readonly #slowerThan: number

  constructor(config: AccessLogConfig, file: LogFile, random: () => number) {
    this.#file = file
    this.#format = lineFormat(config)
    this.#sample = config.sample
    this.#random = random
    this.#always = tableOf(config.always)
    this.#only = config.only.status && tableOf(config.only.status)
    this.#slowerThan = config.only.slowerThan ?? 0
  }

  write(request: LoggedRequest, moment: Moment): void {
    const status = statusOf(request)
    if (this.#only !== undefined && this.#only[status] === 0) return
    if (moment.durationMs < this.#slowerThan) return
    if (this.#sample < 1 && this.#always[status] === 0 && this.#random() >= this.#sample) return
    this.#file.append(this.#format(request, moment))
  }
}

/** A byte for each status, 1 where it is in the list. */
function tableOf(statuses: readonly number[]): Uint8Array {
  const table = new Uint8Array(1000)
  for (const status of statuses) table[status] = 1
  return table
}
