/** What tests of limits over all nodes share: a node's own counter, time in the hand of the test, and a Redis that goes by it. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { createClient } from '@redis/client'
import * as v from 'valibot'
import type { Clock } from '../../base/clock.ts'
import { formatIp } from '../../base/ip-address.ts'
import { systemClock } from '../../base/clock.ts'
import { systemTimers, type Timers } from '../../base/timers.ts'
import { LimitsRedis } from '../../config/limit-schema.ts'
import type { RedisServer } from '../../../test/harness/redis.ts'
import { createAlgorithm, type RatePlan } from '../algorithms/algorithm.ts'
import type { CounterServers, LocalCounter } from './cluster-limiter.ts'
import { ClusterLimits } from './cluster-limits.ts'
import type { CounterLink, Reply } from './counter-link.ts'
import type { ClusterPlan } from './plan.ts'
import type { Script } from './scripts.ts'
import { timed } from './timed.support.ts'

/** Of one process, for any number of keys. */
export function localCounter(plan: RatePlan): LocalCounter & { taken: number } {
  const algorithm = createAlgorithm(plan)
  const states = new Map<string, Float64Array>()
  return {
    taken: 0,
    take(key, cost, now) {
      const name = typeof key === 'string' ? key : formatIp(key)
      const state = states.get(name) ?? new Float64Array(algorithm.words)
      states.set(name, state)
      const decision = algorithm.take(state, 0, cost, now)
      if (decision.allowed) this.taken += cost
      return decision
    },
  }
}

/** A limit whose keys are texts. */
export const planOf = (rate: RatePlan, more: Partial<ClusterPlan> = {}): ClusterPlan => ({
  id: '*\nlogin',
  mode: 'exact',
  rate,
  v4: [{ ...rate, length: 32 }],
  v6: [{ ...rate, length: 64 }],
  ...more,
})

/** One worker of one node, by the clock of the machine. Ends with the test. */
export async function startWorker(
  t: TestContext,
  servers: readonly RedisServer[],
  settings: Readonly<Record<string, unknown>> = {},
) {
  const lines: string[] = []
  const url = servers.map((server) => server.url)
  const config = v.parse(LimitsRedis, { url: url.length === 1 ? url[0] : url, ...settings })
  const limits = new ClusterLimits(config, {
    clock: systemClock,
    timers: systemTimers,
    random: Math.random,
    warn: (line) => void lines.push(line),
  })
  t.after(() => limits.close())
  const limiter = (plan: ClusterPlan) => {
    const local = localCounter(plan.rate)
    const made = limits.limiter(plan, local)
    return { local, take: (key: string, cost = 1) => made.take(key, cost, Math.floor(performance.now())) }
  }
  return { limits, lines, limiter }
}

/** Decisions by who made them, over all limits. */
export function decidedBy(limits: ClusterLimits, by: 'cluster' | 'local'): number {
  const samples = limits.samples().filter(({ labels }) => labels.by === by)
  return samples.reduce((sum, { value }) => sum + Number(value), 0)
}

/** Time that passes when the test says so. */
export class HandTime implements Clock, Timers {
  ms: number
  readonly #timers = new Set<{ readonly atMs: number; readonly work: () => void }>()

  constructor(ms: number) {
    this.ms = ms
  }

  now(): number {
    return this.ms
  }

  monotonic(): number {
    return this.ms
  }

  later(ms: number, work: () => void): () => void {
    const timer = { atMs: this.ms + ms, work }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  pass(ms: number): void {
    this.ms += ms
    for (const timer of this.#timers) {
      if (timer.atMs > this.ms || !this.#timers.delete(timer)) continue
      timer.work()
    }
  }
}

interface Sent {
  readonly script: Script
  readonly keys: readonly string[]
  readonly args: readonly string[]
  readonly runAtMs: number
  readonly answerAtMs: number
  readonly resolve: (reply: Reply) => void
  reply: Reply | undefined
}

/** A real Redis whose scripts go by time in the hand of the test; each question takes a while to get there, and its answer to come back. */
export class TimedServers implements CounterServers {
  readonly time: HandTime
  readonly delayMs: () => number
  readonly #client: ReturnType<typeof createClient>
  readonly #texts = new Map<Script, string>()
  #sent: Sent[] = []
  asked = 0
  readonly isAway = false

  constructor(redis: RedisServer, time: HandTime, delayMs: () => number) {
    this.#client = createClient({ url: redis.url, RESP: 2 }) as ReturnType<typeof createClient>
    this.time = time
    this.delayMs = delayMs
  }

  async open(t: TestContext): Promise<void> {
    await this.#client.connect()
    await this.#client.sendCommand(['FLUSHALL'])
    t.after(() => this.#client.destroy())
  }

  linkOf(): CounterLink {
    return LINK
  }

  run(_: CounterLink, script: Script, keys: readonly string[], args: readonly string[]): Promise<Reply> {
    this.asked += 1
    const { promise, resolve } = Promise.withResolvers<Reply>()
    const runAtMs = this.time.ms + this.delayMs()
    const answerAtMs = runAtMs + this.delayMs()
    this.#sent.push({ script, keys, args, runAtMs, answerAtMs, resolve, reply: undefined })
    return promise
  }

  /** Runs what has got there by now, and answers what has come back; again, where that leads to more. */
  async settle(): Promise<void> {
    for (;;) {
      const { ms } = this.time
      const due = this.#sent.filter(({ runAtMs, reply }) => runAtMs <= ms && reply === undefined)
      for (const one of due) {
        const { script, keys, args, runAtMs } = one
        const text = this.#texts.get(script) ?? timed(script)
        this.#texts.set(script, text)
        const all = ['EVAL', text, String(keys.length), ...keys, ...args, String(runAtMs)]
        one.reply = await this.#client.sendCommand<Reply>(all)
      }
      const back = this.#sent.filter(({ answerAtMs, reply }) => answerAtMs <= ms && reply !== undefined)
      this.#sent = this.#sent.filter((one) => !back.includes(one))
      for (const { resolve, reply } of back) resolve(reply!)
      // What waited for that goes on.
      await new Promise(setImmediate)
      if (due.length === 0 && back.length === 0) return
    }
  }
}

/** Nothing is asked of it: `run` does that. */
const LINK = { isUsable: true } as CounterLink

/** Of units by time: by how much the worst interval has more than `full` and `perMs` for each of its milliseconds. */
export function overshootOf(
  taken: readonly (readonly [atMs: number, units: number])[],
  full: number,
  perMs: number,
): number {
  let lowest = Infinity
  let sum = 0
  let worst = -Infinity
  for (const [atMs, units] of taken) {
    lowest = Math.min(lowest, sum - perMs * atMs)
    sum += units
    worst = Math.max(worst, sum - perMs * atMs - lowest)
  }
  assert.ok(taken.length > 0)
  return worst - full
}
