/** A store, a clock and timers in the hand of a test, and the parts of a node that keep its bans over them. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { checkConfig } from '../../config/check.ts'
import type { Config, ConfigInput } from '../../config/schema.ts'
import type { BanChange } from '../../contract/bans.ts'
import { storeWriter } from '../../replication/store-writer.ts'
import { embeddedLog } from '../../store/engines/embedded.ts'
import { openStore } from '../../store/sqlite-store.ts'
import { BanBook } from './ban-book.ts'
import { BanWriter } from './ban-writer.ts'
import { NeverBanned } from './never-banned.ts'

/** The two clocks of a machine: setting one of them moves nothing else. */
export class TestClock {
  wallMs = 1_700_000_000_000
  monotonicMs = 1_000
  readonly #work: { at: number; readonly do: () => void }[] = []

  readonly now = (): number => this.wallMs
  readonly monotonic = (): number => this.monotonicMs
  readonly later = (ms: number, work: () => void): (() => void) => {
    const entry = { at: this.monotonicMs + ms, do: work }
    this.#work.push(entry)
    return () => void (this.#work.includes(entry) && this.#work.splice(this.#work.indexOf(entry), 1))
  }

  /** Lets time go by, and does what is due in it, in order. */
  pass(ms: number): void {
    const end = this.monotonicMs + ms
    for (;;) {
      const next = this.#work.toSorted((a, b) => a.at - b.at)[0]
      if (next === undefined || next.at > end) break
      this.#work.splice(this.#work.indexOf(next), 1)
      this.wallMs += next.at - this.monotonicMs
      this.monotonicMs = next.at
      next.do()
    }
    this.wallMs += end - this.monotonicMs
    this.monotonicMs = end
  }
}

export function configOf(input: ConfigInput = {}): Config {
  const checked = checkConfig(input)
  if (checked.kind === 'problems') throw new Error(JSON.stringify(checked.problems))
  return checked.config
}

export async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'orla-bans-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export interface BansOptions {
  readonly config?: ConfigInput
  readonly folder?: string
  readonly clock?: TestClock
  readonly bansMax?: number
}

export async function bansFor(t: TestContext, options: BansOptions = {}) {
  const folder = options.folder ?? (await folderFor(t))
  const clock = options.clock ?? new TestClock()
  const store = openStore(folder, { clock })
  const warned: string[] = []
  const log = { info: () => {}, warn: (line: string) => void warned.push(line) } as never
  const changes: BanChange[] = []
  const off = { ms: 0 }
  const never = new NeverBanned({
    directory: folder,
    clock,
    timers: clock,
    log,
    config: configOf(options.config),
    onChange: () => book.reviewAll(),
  })
  const book: BanBook = new BanBook({
    store,
    clock,
    timers: clock,
    log,
    never,
    clockOffMs: () => off.ms,
    onChange: (change) => void changes.push(change),
  })
  const writer = new BanWriter({
    store,
    writer: storeWriter({
      store,
      log: embeddedLog(store),
      clock,
      catchUp: () => Promise.resolve(),
      onAppended: () => book.advanced(),
    }),
    clock,
    book,
    bansMax: () => options.bansMax ?? 100_000,
  })
  const close = () => {
    book.stop()
    never.stop()
    store.close()
  }
  t.after(close)
  const ban = (prefix: string, forMs: number, onlyLonger = false) =>
    writer.write([{ prefix, forMs, record: { reason: 'a test', by: 'token root', node: 'n' } }], {
      onlyLonger,
    })
  const standing = () => [...book.set.bans].toSorted()
  return { folder, clock, store, warned, log, changes, off, never, book, writer, close, ban, standing }
}
