/**
 * Watches the heads of all logs over one stream, and tells who asked.
 *
 * A watch begins at the present, and everybody is told when it has begun: they read by their own ids, so it is no matter what was missed
 * before, nor whether etcd has been compacted since. A stream that says nothing may have no news or be half-open; so the heads are looked at
 * now and then, and a stream that did not tell what is found there is replaced by one of another member.
 */
import { backOffMs } from '../../../base/back-off.ts'
import type { HeadWatch } from './log.ts'
import type { Answer, Gateway } from './gateway.ts'
import { endOf, keyValuesOf, range, transact } from './kv.ts'
import { headsPrefix } from './records.ts'

export interface HeadWatchOptions {
  readonly gateway: Gateway
  readonly prefix: string
  /** How often the heads are looked at, about. */
  readonly pollMs: number
  readonly random: () => number
}

const LOGS_MAX = 10_000
const BACK_OFF = { firstMs: 50, maxMs: 2000 }
/** An event is the head of a log: a line of more is not etcd's. */
const LINE_MAX = 1024 * 1024

export function watchHeads(options: HeadWatchOptions): HeadWatch & { close(): void } {
  const listeners = new Map<string, Set<() => void>>()
  let running: Watching | undefined

  const tell = (log: string | undefined) => {
    const some = log === undefined ? [...listeners.values()] : [listeners.get(log) ?? []]
    for (const set of some) for (const onChange of set) onChange()
  }
  const stop = () => {
    running?.stop()
    running = undefined
  }

  return {
    on(log, onChange) {
      // The same function twice is two who asked.
      const one = () => onChange()
      const set = listeners.get(log) ?? new Set()
      listeners.set(log, set.add(one))
      running ??= new Watching(options, tell)
      return () => {
        set.delete(one)
        if (set.size === 0 && listeners.get(log) === set) listeners.delete(log)
        if (listeners.size === 0) stop()
      }
    },
    close: stop,
  }
}

class Watching {
  readonly #options: HeadWatchOptions
  /** Of one log, or of all. */
  readonly #tell: (log?: string) => void
  /** The newest revision of each head that was told. */
  readonly #told = new Map<string, number>()
  readonly #stopped = new AbortController()
  /** Ends the stream that runs. */
  #restart = (): void => {}

  constructor(options: HeadWatchOptions, tell: (log?: string) => void) {
    this.#options = options
    this.#tell = tell
    void this.#follow()
    void this.#poll()
  }

  stop(): void {
    this.#stopped.abort()
    this.#restart()
  }

  async #follow(): Promise<void> {
    const { gateway, prefix, random } = this.#options
    const { signal } = this.#stopped
    let failures = 0
    const heads = headsPrefix(prefix)
    const [key, range_end] = [heads, endOf(heads)].map((text) => Buffer.from(text).toString('base64'))
    while (!signal.aborted) {
      try {
        const stream = await gateway.stream('/v3/watch', { create_request: { key, range_end } })
        this.#restart = () => stream.destroy()
        if (signal.aborted) this.#restart()
        for await (const message of messagesOf(stream)) {
          if (!this.#take(message)) break
          failures = 0
        }
        stream.destroy()
      } catch {
        // Whoever asks for something hears why etcd does not answer; here it is tried again.
      }
      gateway.turn()
      await pause(backOffMs(++failures, random, BACK_OFF), signal)
    }
  }

  /** False where the watch is over: it was refused, or etcd was compacted behind one that lagged. */
  #take(message: Answer): boolean {
    const result = message['result'] as Answer | undefined
    if (result === undefined || result['canceled'] === true || 'compact_revision' in result) return false
    if (result['created'] === true) this.#tell()
    const events = Array.isArray(result['events']) ? (result['events'] as Answer[]) : []
    for (const { key, revision } of keyValuesOf(this.#options.gateway, { kvs: events.map(({ kv }) => kv) })) {
      this.#told.set(key, revision)
      this.#tell(key.slice(headsPrefix(this.#options.prefix).length))
    }
    return true
  }

  async #poll(): Promise<void> {
    const { gateway, prefix, pollMs } = this.#options
    const { signal } = this.#stopped
    const heads = headsPrefix(prefix)
    while (!signal.aborted) {
      await pause(gateway.jittered(pollMs), signal)
      if (signal.aborted) return
      try {
        const { ranges } = await transact(gateway, { success: [range(heads, endOf(heads), LOGS_MAX)] })
        for (const { key, revision } of ranges[0] ?? []) {
          const told = this.#told.get(key)
          this.#told.set(key, Math.max(revision, told ?? 0))
          if (told !== undefined && told >= revision) continue
          this.#tell(key.slice(heads.length))
          // At its first sight a head may have stood there before the watch began.
          if (told !== undefined) this.#restart()
        }
      } catch {
        // As above.
      }
    }
  }
}

/** The stream's lines, each a JSON object. Ends where it ends, throws where it is cut or says something else. */
async function* messagesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<Answer> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const piece of stream) {
    text += decoder.decode(piece, { stream: true })
    const lines = text.split('\n')
    text = lines.pop()!
    if (text.length > LINE_MAX) throw new Error('a line without an end')
    for (const line of lines) {
      const value: unknown = line === '' ? undefined : JSON.parse(line)
      if (typeof value === 'object' && value !== null) yield value as Answer
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
  })
}
