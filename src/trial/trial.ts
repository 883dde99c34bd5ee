/**
 * A unit on trial: run in sandboxes of its own, under its real limits, beside everything that is live and touching none of it.
 *
 * The tests of a unit run here before a deploy, and `orla bench` measures here. Key/value data is real, in files of the trial's own, empty at the start.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../base/clock.ts'
import { checkConfig } from '../config/check.ts'
import type { HostAnswer, HostCall, HostCalls } from '../contract/host-calls.ts'
import {
  KV_KEY_BYTES_MAX,
  KV_VALUE_BYTES_MAX,
  type KvBatch,
  type KvLimits,
  type KvStoreName,
} from '../contract/kv.ts'
import type { TailLine } from '../contract/messages.ts'
import type { BanOutcome } from '../contract/bans.ts'
import { formatPrefix, readPrefix } from '../base/ip-prefix.ts'
import { createHostCalls } from '../host/host-calls.ts'
import type { NamedLimits } from '../host/limit-calls.ts'
import { KV_WORDS } from '../kv/versions.ts'
import { KvWriter } from '../kv/writer.ts'
import type { Crossings } from '../sandbox/inline-lane.ts'
import { createUnitRunner, type UnitDispatcher } from '../sandbox/unit-dispatcher.ts'
import { locateInSource, mapStack } from '../unit/source-map.ts'

export interface TrialOptions {
  /** Paths of the bundles that a sandbox runs. */
  readonly bundles: { readonly sandbox: string; readonly guest: string }
  readonly node: { readonly name: string; readonly groups: readonly string[] }
  /** Stands before the host's own calls; `start` are those. */
  readonly intercept?: (
    call: HostCall,
    answer: (answer: HostAnswer) => void,
    start: HostCalls['start'],
  ) => ReturnType<HostCalls['start']>
  /** Private addresses that the unit may fetch, as in `edge.fetch.sites`: checked before. */
  readonly fetchSites?: readonly string[]
  /** Those that `edge.limit` finds. */
  readonly limits: NamedLimits
  /** Measures the unit, where its isolation is `inline`. */
  readonly crossings?: Crossings
  readonly onLine?: (line: TailLine) => void
}

export interface Trial {
  readonly runner: UnitDispatcher
  close(): Promise<void>
}

const SANDBOX_BYTES_MAX = 512 * 1024 * 1024
const LIMITS: KvLimits = {
  keysMax: 10_000,
  bytesMax: 16 * 1024 * 1024,
  keyBytesMax: KV_KEY_BYTES_MAX,
  valueBytesMax: KV_VALUE_BYTES_MAX,
}

export function startTrial(options: TrialOptions): Trial {
  const { bundles, node, intercept, fetchSites = [], limits, crossings, onLine } = options
  const folder = mkdtempSync(join(tmpdir(), 'orla-trial-'))
  const words = new Int32Array(KV_WORDS)
  const stores = { kv: join(folder, 'kv.db'), cache: join(folder, 'cache.db') }
  const open = (name: KvStoreName) =>
    new KvWriter({ name, path: stores[name], clock: systemClock, words, limits: LIMITS })
  const writers = { kv: open('kv'), cache: open('cache') }
  const send = ({ id, store, writes, durable }: KvBatch): void => {
    setImmediate(() => calls.kv.done(store, id, writers[store].apply(writes, durable)))
  }
  const checked = checkConfig({ edge: { fetch: { sites: [...fetchSites] } } })
  if (checked.kind !== 'config') throw new Error('the sites to fetch are no configuration')
  const { fetch } = checked.config.edge
  const calls = createHostCalls({
    stores,
    clock: systemClock,
    words,
    send,
    fetch,
    sources: [],
    limits,
    // Nobody is there to be kept out, and nothing is kept that could go.
    bans: { ban: async ({ prefix, forMs }) => banned(prefix, forMs) },
    askPurge: ({ id }) => calls.purge.done(id, { objects: 0, ms: 0 }),
  })
  const start: HostCalls['start'] = (call, answer) => calls.start(call, answer)
  const runner = createUnitRunner({
    worker: 0,
    bundles,
    node,
    clock: systemClock,
    sandboxMemory: SANDBOX_BYTES_MAX,
    locate: locateInSource,
    mapStack,
    calls: {
      start: (call, answer) => (intercept ? intercept(call, answer, start) : start(call, answer)),
    },
    ...(crossings && { crossings }),
    onLine: (line) => onLine?.(line),
    // What a trial brings to light is its report: nobody else needs to know.
    onQuarantine() {},
  })
  runner.setTail(onLine !== undefined)
  return {
    runner,
    async close() {
      await runner.close()
      calls.close()
      for (const writer of Object.values(writers)) writer.close()
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** As a node answers, of what it can read. */
function banned(text: string, forMs: number): BanOutcome {
  const prefix = readPrefix(text)
  return typeof prefix === 'string'
    ? { code: 'ban-invalid', message: prefix }
    : { prefix: formatPrefix(prefix), until: systemClock.now() + forMs }
}
