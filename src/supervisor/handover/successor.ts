/** The program that takes over, as the running one sees it: a child process until it is on its own. */
import { spawn, type ChildProcess } from 'node:child_process'
import { EdgeError } from '../../base/errors.ts'
import type { KvResult } from '../../contract/kv.ts'
import {
  type ApplyKv,
  type Estate,
  type FromSuccessor,
  INHERITANCE,
  type Inheritance,
  type RelayBans,
  type RelayPurges,
  type ToSuccessor,
  VERSION,
} from './messages.ts'

/** How the program is started: as it was this time, so that what stands at that path now is what runs. */
export interface Program {
  readonly command: string
  readonly args: readonly string[]
}

/** Descriptors 0 to 2, then the channel. */
const FIRST_FD = 4

export class Successor {
  readonly #child: ChildProcess
  readonly #heard = new Map<FromSuccessor['kind'], (message: FromSuccessor) => void>()
  readonly #failed = Promise.withResolvers<never>()
  readonly #kv = new Map<number, (results: readonly KvResult[]) => void>()
  readonly #ended = Promise.withResolvers<void>()
  #lastKv = 0
  #reason: string | undefined
  /** What it purges goes to our workers, too. */
  relayPurges: RelayPurges | undefined
  /** Whom it keeps out, our workers do. */
  relayBans: RelayBans | undefined

  constructor({ command, args }: Program, { sockets, control, kvWords, limits, packet = [] }: Estate) {
    const inheritance: Inheritance = {
      version: VERSION,
      sockets: sockets.map(({ address }, index) => ({ address, fd: FIRST_FD + 1 + index })),
      control: { address: control.address, fd: FIRST_FD },
      kvWords,
      hearsBans: true,
      packet: packet.map((link, index) => ({ ...link, fd: FIRST_FD + 1 + sockets.length + index })),
      ...(limits && { limits }),
    }
    const given = [control, ...sockets, ...packet].map(({ fd }) => fd)
    this.#child = spawn(command, args, {
      env: { ...process.env, [INHERITANCE]: JSON.stringify(inheritance) },
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...given],
    })
    this.#failed.promise.catch(() => undefined)
    this.#child.on('message', (message) => this.#hear(message as FromSuccessor))
    this.#child.on('error', (error) => {
      if (this.#child.pid === undefined) this.#end(`could not be started: ${error.message}`)
    })
    this.#child.on('exit', (code, signal) => this.#end(`ended: ${signal ?? `exit code ${code}`}`))
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Resolves with the message of that kind. Rejects with `upgrade-failed` where the program ends first, says no, or takes too long. */
  async heard<Kind extends FromSuccessor['kind']>(
    kind: Kind,
    timeoutMs: number,
  ): Promise<Extract<FromSuccessor, { kind: Kind }>> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(upgradeFailed(`was not ${kind} within ${timeoutMs / 1000} s`))
      }, timeoutMs)
    })
    const said = new Promise<FromSuccessor>((resolve) => this.#heard.set(kind, resolve))
    try {
      return (await Promise.race([said, late, this.#failed.promise])) as Extract<
        FromSuccessor,
        { kind: Kind }
      >
    } finally {
      clearTimeout(timer)
    }
  }

  give(ticketKeys: readonly Uint8Array[]): void {
    this.#send({ kind: 'yours', ticketKeys })
  }

  /** A change that one of our workers asks for. Where the successor is gone, the caller is told: there are no results. */
  readonly kv: ApplyKv = (changes, onDone) => {
    const id = ++this.#lastKv
    this.#kv.set(id, onDone)
    if (this.#reason === undefined) this.#send({ kind: 'kv', id, changes })
    else this.#failKv()
  }

  /** Resolves when the process has ended. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended.promise
  }

  /** It needs us no longer, and we not it. */
  release(): void {
    if (this.#child.connected) this.#child.disconnect()
    this.#child.unref()
  }

  #send(message: ToSuccessor): void {
    if (this.#child.connected) this.#child.send(message, () => undefined)
  }

  #hear(message: FromSuccessor): void {
    if (message.kind === 'failed') this.#reason = message.message
    else if (message.kind === 'kvDone') {
      this.#kv.get(message.id)?.(message.results)
      this.#kv.delete(message.id)
    } else if (message.kind === 'purge') void this.#relay(message)
    else if (message.kind === 'bans') void this.#ban(message)
    else this.#heard.get(message.kind)?.(message)
  }

  async #relay({ id, purges }: Extract<FromSuccessor, { kind: 'purge' }>): Promise<void> {
    const objects = (await this.relayPurges?.(purges)) ?? []
    this.#send({ kind: 'purged', id, objects })
  }

  async #ban({ id, change }: Extract<FromSuccessor, { kind: 'bans' }>): Promise<void> {
    await this.relayBans?.(change)
    this.#send({ kind: 'bansUsed', id })
  }

  #end(how: string): void {
    this.#failed.reject(upgradeFailed(this.#reason === undefined ? how : `did not start: ${this.#reason}`))
    this.#reason ??= how
    this.#failKv()
    this.#ended.resolve()
  }

  #failKv(): void {
    for (const onDone of this.#kv.values()) onDone([])
    this.#kv.clear()
  }
}

const upgradeFailed = (what: string) => new EdgeError('upgrade-failed', `the new program ${what}`)
