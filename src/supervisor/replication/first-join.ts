/** An edge joins for the first time: somebody waits for it, and is told how far it is, or at once why it does not come to be. */
import { EdgeError } from '../../base/errors.ts'
import type { JoinProgress } from '../../replication/feed-taker.ts'
import type { Log } from '../log.ts'

const PROGRESS_EVERY_MS = 1000

export class JoinProgressTold {
  readonly #log: Log
  readonly #startMs = performance.now()
  #toldMs = performance.now()
  /** Of each log: units, and buckets of key/value data. */
  readonly #logs = new Map<string, JoinProgress>()

  constructor(log: Log) {
    this.#log = log
  }

  /** Once a second: a small one says nothing before it is done. */
  loaded(progress: JoinProgress): void {
    this.#logs.set(progress.log, progress)
    const now = performance.now()
    if (now - this.#toldMs < PROGRESS_EVERY_MS) return
    this.#toldMs = now
    const { log, entries, of, bytes, ofBytes } = progress
    this.#log.info(
      `snapshot of ${log}: ${entries} of ${of} entries, ${megabytes(bytes)} of ${megabytes(ofBytes)} MB`,
    )
  }

  unreached({ message }: EdgeError): void {
    this.#log.warn(`not joined after ${this.#seconds()} s, trying on: ${message}`)
  }

  joined(control: string, name: string, id: number): void {
    const all = [...this.#logs.values()]
    const entries = all.reduce((sum, one) => sum + one.entries, 0)
    const bytes = all.reduce((sum, one) => sum + one.bytes, 0)
    this.#log.info(
      `joined ${control} as ${name}: position ${id}, ${entries} entries, ${megabytes(bytes)} MB in ${this.#seconds()} s`,
    )
  }

  #seconds(): string {
    return ((performance.now() - this.#startMs) / 1000).toFixed(1)
  }
}

/** In the words of whoever adds an edge. */
export function refusedJoin(error: EdgeError): EdgeError {
  const { code, message } = error
  const isToken = code === 'unauthorized' || code === 'forbidden'
  const hint = isToken
    ? 'an edge needs a token with the role `edge`: make one at the control plane with `orla tokens new NAME --role edge`'
    : error.hint
  return new EdgeError(code, `this edge does not join: ${message}`, { hint, cause: error })
}

/** Rejects when the time is up, where there is one. */
export async function within(
  joined: Promise<void>,
  control: string,
  timeoutMs: number | undefined,
): Promise<void> {
  if (timeoutMs === undefined) return joined
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    const message = `${control} was not joined within ${timeoutMs} ms`
    late.reject(
      new EdgeError('control-unreachable', message, { hint: 'check its address, and that it runs' }),
    )
  }, timeoutMs)
  return Promise.race([joined, late.promise]).finally(() => clearTimeout(timer))
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)
