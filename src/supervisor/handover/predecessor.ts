/** The program that runs, as the one that takes over from it sees it. */
import { EdgeError } from '../../base/errors.ts'
import { type ListenSocket, listenSocket } from '../../base/listen-socket.ts'
import type { FromWorker, ToWorker } from '../../contract/messages.ts'
import type { PacketLink } from '../packet-plane.ts'
import {
  type ApplyKv,
  type FromSuccessor,
  INHERITANCE,
  type Inheritance,
  type LimitsEstate,
  type ToSuccessor,
  VERSION,
} from './messages.ts'
import type { ToldWorker } from '../workers/told-worker.ts'

export class Predecessor implements ToldWorker {
  /** Its workers finish what they have begun, and one more request of each connection. */
  readonly phase = 'draining'
  readonly kvWords: string
  readonly limits: LimitsEstate | undefined
  readonly #inheritance: Inheritance
  readonly #yours = Promise.withResolvers<readonly Uint8Array[]>()
  readonly #gone = Promise.withResolvers<void>()
  #waiting: Extract<ToSuccessor, { kind: 'kv' }>[] = []
  #apply: ApplyKv | undefined
  #lastAsked = 0
  readonly #asked = new Map<number, (answer?: RelayAnswer) => void>()

  private constructor(inheritance: Inheritance) {
    this.#inheritance = inheritance
    this.kvWords = inheritance.kvWords
    this.limits = inheritance.limits
    process.on('message', this.#hear)
    // It was killed: what it held is free, and we have the sockets.
    process.once('disconnect', this.#leave)
    // While this program was loaded: the event came before anybody listened, and comes once.
    if (!process.connected) this.#leave()
  }

  /** Undefined where this program was started by hand. Takes the variable out of the environment: our children inherit nothing by it. */
  static ofThisProcess(): Predecessor | undefined {
    const { [INHERITANCE]: text } = process.env
    delete process.env[INHERITANCE]
    if (text === undefined || process.send === undefined) return undefined
    const inheritance = JSON.parse(text) as Inheritance
    if (inheritance.version === VERSION) return new Predecessor(inheritance)
    const message = `this program takes over by version ${VERSION} of the handover, and the running one speaks ${inheritance.version}`
    tell({ kind: 'failed', message })
    throw new EdgeError('upgrade-failed', message)
  }

  /** It has ended, or is about to be gone: nobody hears what is said. */
  get isGone(): boolean {
    return !process.connected
  }

  /** Resolves when it has drained, or was killed. */
  get gone(): Promise<void> {
    return this.#gone.promise
  }

  /** The sockets of the edge, by what `ListenSockets` calls them. Called once: they have other owners then. */
  sockets(): ReadonlyMap<string, readonly ListenSocket[]> {
    const byAddress = Map.groupBy(this.#inheritance.sockets, ({ address }) => address)
    return new Map([...byAddress].map(([address, all]) => [address, all.map(({ fd }) => listenSocket(fd))]))
  }

  /** The socket of the control plane, where it is to listen at the same address. */
  control(address: string): ListenSocket | undefined {
    const { control } = this.#inheritance
    const socket = listenSocket(control.fd)
    if (control.address === address) return socket
    socket.close()
    return undefined
  }

  /** Its links of the packet plane. */
  packet(): readonly PacketLink[] {
    return this.#inheritance.packet ?? []
  }

  /** Everything is at hand but what only one may hold. Resolves to the keys of its session tickets when it is ours; none where it was killed. */
  prepared(): Promise<readonly Uint8Array[]> {
    tell({ kind: 'prepared' })
    return this.#yours.promise
  }

  /** We have the files of key/value data: from now on its workers' changes are done here. */
  writeKv(apply: ApplyKv): void {
    this.#apply = apply
    for (const message of this.#waiting.splice(0)) this.#hear(message)
  }

  /** A purge or bans: its workers serve until they have ended. Where it is gone, nobody does. */
  async ask<Answer extends FromWorker>(
    message: ToWorker,
    isAnswer: (heard: FromWorker) => heard is Answer,
    timeoutMs: number,
  ): Promise<Answer> {
    const heard = await this.#relay(message, timeoutMs)
    if (!isAnswer(heard)) throw new Error('not what was asked')
    return heard
  }

  async #relay(message: ToWorker, timeoutMs: number): Promise<FromWorker> {
    switch (message.kind) {
      case 'purge': {
        const answer = await this.#askIt((id) => ({ kind: 'purge', id, purges: message.purges }), timeoutMs)
        return { kind: 'purged', id: message.id, objects: answer?.kind === 'purged' ? answer.objects : [] }
      }
      case 'bans': {
        const { set } = message
        // All of them go to a worker that starts, and none starts there.
        if (this.#inheritance.hearsBans === true && 'added' in set)
          await this.#askIt((id) => ({ kind: 'bans', id, change: set }), timeoutMs)
        return { kind: 'bansUsed', id: message.id }
      }
      default:
        throw new Error(`a program before is not asked for ${message.kind}`)
    }
  }

  /** Undefined where it does not answer in time, or is gone. */
  async #askIt(
    messageOf: (id: number) => FromSuccessor,
    timeoutMs: number,
  ): Promise<RelayAnswer | undefined> {
    if (this.isGone) return undefined
    const id = ++this.#lastAsked
    const { promise, resolve } = Promise.withResolvers<RelayAnswer | undefined>()
    this.#asked.set(id, resolve)
    const timer = setTimeout(() => resolve(undefined), timeoutMs)
    tell(messageOf(id))
    const answer = await promise
    clearTimeout(timer)
    this.#asked.delete(id)
    return answer
  }

  /** We serve. */
  ready(version: string): void {
    tell({ kind: 'ready', version })
  }

  /** Why we cannot. */
  failed(message: string): void {
    tell({ kind: 'failed', message })
  }

  readonly #leave = (): void => {
    this.#yours.resolve([])
    this.#gone.resolve()
    for (const done of this.#asked.values()) done()
  }

  readonly #hear = (message: ToSuccessor): void => {
    if (message.kind === 'yours') this.#yours.resolve(message.ticketKeys)
    else if (message.kind === 'purged' || message.kind === 'bansUsed') this.#asked.get(message.id)?.(message)
    else if (this.#apply === undefined) this.#waiting.push(message)
    else this.#apply(message.changes, (results) => tell({ kind: 'kvDone', id: message.id, results }))
  }
}

type RelayAnswer = Extract<ToSuccessor, { kind: 'purged' | 'bansUsed' }>

function tell(message: FromSuccessor): void {
  if (process.connected) process.send!(message, undefined, undefined, () => undefined)
}
