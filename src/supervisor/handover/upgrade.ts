/**
 * Lets another program take over, without a connection refused: starts it as this one was started, and gives it the sockets, the lock and the
 * store once it is prepared.
 *
 * Until the new one says that it serves, this one can go on as if nothing had been: whoever dies or says no before leaves a node that runs.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { EdgeError } from '../../base/errors.ts'
import type { UpgradeResult } from '../../control/shapes.ts'
import type { Log } from '../log.ts'
import type { Estate } from './messages.ts'
import { type Program, Successor } from './successor.ts'

export interface UpgradeOptions {
  /** Undefined where this one was not started in a way that can be repeated. */
  readonly program: Program | undefined
  readonly log: Log
  /** It took over from another program itself, so it is not what its container, if any, was started for: that one was not upgraded. */
  readonly isHeir: boolean
  estate(): Estate
  ticketKeys(): readonly Uint8Array[]
  /** Stops everything that only one program may do. */
  suspend(): Promise<void>
  /** Has the other program change key/value data; what it has not done when it ends is done by `resume`. */
  entrust(successor: Successor): void
  /** Takes it up again. Throws where another still has it. */
  resume(): Promise<void>
  /** The other one serves: finish what is in progress, and end. */
  leave(successor: Successor): void
}

/** Reading the configuration and bundling, on a machine that is busy. */
const PREPARE_MAX_MS = 120_000
/** Opening the store and starting workers. */
const READY_MAX_MS = 150_000
/** A lock is free when the process that held it is gone, which takes the kernel a moment. */
const RESUME_TRIES = 100
const RESUME_WAIT_MS = 100

/** What `--init` puts before the program of a container: it ends when its one child does, whoever is left. */
const CONTAINER_INITS: ReadonlySet<string> = new Set([
  'catatonit',
  'docker-init',
  'dumb-init',
  'podman-init',
  'tini',
])

export class Upgrade {
  readonly #options: UpgradeOptions
  #successor: Successor | undefined
  #run: Promise<UpgradeResult> | undefined
  #isDone = false
  #isEnding = false

  constructor(options: UpgradeOptions) {
    this.#options = options
  }

  /** Resolves when the other program serves. Rejects with `upgrade-failed`, or `upgrading` where one is under way; this one goes on then. */
  async start(): Promise<UpgradeResult> {
    const { program, log } = this.#options
    if (this.#isEnding) throw new EdgeError('draining', 'the node is shutting down, and is not upgraded')
    if (this.#run) throw new EdgeError('upgrading', 'an upgrade is under way already')
    if (this.#isDone) throw new EdgeError('upgrading', 'another program has taken over already')
    this.#run = this.#handOver(program)
    try {
      return await this.#run
    } catch (error) {
      log.warn(`not upgraded: ${(error as Error).message}`)
      throw error
    } finally {
      this.#run = undefined
    }
  }

  /** This program was told to end: ends an upgrade that is under way, and begins none. */
  async abort(): Promise<void> {
    this.#isEnding = true
    const run = this.#run
    if (run === undefined) return
    await this.#successor?.kill()
    await run.catch(() => undefined)
  }

  async #handOver(program: Program | undefined): Promise<UpgradeResult> {
    if (program === undefined) {
      throw new EdgeError('upgrade-failed', 'only a node that `orla start` runs can be upgraded', {
        hint: 'stop it, and start the new program',
      })
    }
    if (!this.#options.isHeir && endsItsContainer(process)) {
      throw new EdgeError('upgrade-failed', 'this is the main process of a container, which ends with it', {
        hint: 'start another container with the new version, and stop this one when it serves',
      })
    }
    const options = this.#options
    const startedAt = performance.now()
    const successor = new Successor(program, options.estate())
    this.#successor = successor
    let isSuspended = false
    try {
      await successor.heard('prepared', PREPARE_MAX_MS)
      isSuspended = true
      await options.suspend()
      const ready = successor.heard('ready', READY_MAX_MS)
      successor.give(options.ticketKeys())
      options.entrust(successor)
      const { version } = await ready
      // It is being killed.
      if (this.#isEnding) throw new EdgeError('draining', 'the node is shutting down, and is not upgraded')
      const ms = Math.round(performance.now() - startedAt)
      options.log.info(
        `process ${successor.pid} (orla ${version}) has taken over after ${ms} ms; this one drains`,
      )
      this.#isDone = true
      options.leave(successor)
      return { pid: successor.pid, version, before: process.pid, ms }
    } catch (error) {
      await successor.kill()
      if (isSuspended) await this.#resume()
      throw error
    } finally {
      this.#successor = undefined
    }
  }

  async #resume(): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#options.resume()
      } catch (error) {
        if (tries === RESUME_TRIES) throw error
        await sleep(RESUME_WAIT_MS)
      }
    }
  }
}

/** Whether this process is the one that a container was started for; `first` is what process 1 here is called. */
export function endsItsContainer(
  { pid, ppid }: { readonly pid: number; readonly ppid: number },
  first = nameOfFirst(),
): boolean {
  return pid === 1 || (ppid === 1 && CONTAINER_INITS.has(first))
}

function nameOfFirst(): string {
  try {
    return readFileSync('/proc/1/comm', 'utf8').trim()
  } catch {
    return ''
  }
}
