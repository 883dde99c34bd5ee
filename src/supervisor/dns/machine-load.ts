/** How busy the processors of this machine are: what whoever sends clients to edges goes by. */
import { cpus } from 'node:os'

const EVERY_MS = 2_000
/** A load that has moved by so much is news. */
const MOVED = 0.1

interface Times {
  readonly busy: number
  readonly all: number
}

export class MachineLoad {
  readonly #timer: NodeJS.Timeout
  #last = timesNow()
  #load: number | undefined
  #told = 0
  /** Told when the load is another one than it was when this was told last. */
  onMoved: () => void = () => {}

  constructor() {
    this.#timer = setInterval(() => this.#look(), EVERY_MS)
    this.#timer.unref()
  }

  /** Of the last seconds, from 0 to 1, in steps of a hundredth; undefined before the first of them are over. */
  get load(): number | undefined {
    return this.#load
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const now = timesNow()
    const all = now.all - this.#last.all
    if (all > 0) this.#load = Math.round(((now.busy - this.#last.busy) / all) * 100) / 100
    this.#last = now
    if (this.#load === undefined || Math.abs(this.#load - this.#told) < MOVED) return
    this.#told = this.#load
    this.onMoved()
  }
}

function timesNow(): Times {
  let idle = 0
  let all = 0
  for (const { times } of cpus()) {
    idle += times.idle
    all += times.user + times.nice + times.sys + times.irq + times.idle
  }
  return { busy: all - idle, all }
}
