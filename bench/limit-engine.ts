/**
 * The engine of limits: what a decision costs, what a key takes, and what a sketch does to honest clients in a flood.
 *
 *     node bench/limit-engine.ts [--quick] [--rounds 5] [--only exact,sketch,flood,rival]
 *
 *     exact    a token bucket in the table that all workers share, in a file in memory, a million keys live; which of them asks is drawn anew for each
 *              decision, so all of its memory is cold. Keys are addresses, or texts that are made for the question, whose making is measured alone and taken off
 *     sketch   a sliding window on the default sketch, by /64, /56 and /48, of sources at random
 *     flood    10 million distinct IPv6 sources within a minute, 10,000 of them far over the limit, and honest clients beside them: who is refused wrongly?
 *     rival    a token bucket in the memory of one process, beside the limiter in memory of `rate-limiter-flexible`: what is allowed, what is refused, and what is allowed
 *              of a hundred thousand keys
 *
 * Each row has a process of its own. CPU time is that of the whole process, the collector's threads too; the median of the rounds is printed. The rival's answer is a
 * promise, and is awaited as its users do.
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import type { IpAddress } from '../src/base/ip-address.ts'
import { createSharedWords } from '../src/base/shared-words.ts'
import { levelPlans } from '../src/limit/prefix-levels.ts'
import { TokenBucket } from '../src/limit/index.ts'
import { layRegion, type LimiterPlan, regionWords } from '../src/limit/region.ts'
import { SharedLimiter } from '../src/limit/shared-limiter.ts'
import { statedError } from '../src/limit/sketch-error.ts'
import { median } from './peers/median.ts'

const NAMES = ['exact', 'sketch', 'flood', 'rival'] as const

/** What is to be reached. */
const TO_REACH = {
  exactNs: 200,
  keyBytes: 64,
  sketchNs: 400,
  floodMib: 16,
  wronglyRefused: 0.0001,
  rivalTimes: 10,
}

const { values: given } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: NAMES.join(',') },
    here: { type: 'string' },
  },
})
const rounds = Number(given.rounds)
const calls = given.quick ? 200_000 : 2_000_000
const DAY_MS = 24 * 3_600_000

type Mutable = { family: 4 | 6; words: [number, number, number, number] }

function runApart(name: string): void {
  const args = [import.meta.filename, `--here=${name}`, `--rounds=${rounds}`]
  const { status } = spawnSync(process.execPath, [...args, ...(given.quick ? ['--quick'] : [])], {
    stdio: 'inherit',
  })
  if (status !== 0) throw new Error(`${name} failed`)
}

function exact(): void {
  const keys = given.quick ? 100_000 : 1_000_000
  const { limiter, bytes } = made({
    algorithm: 'token-bucket',
    count: 1000,
    windowMs: 60_000,
    store: 'exact',
    keysMax: keys,
    replacement: 's3-fifo',
    sketch: { depth: 3, cellBits: 16 },
  })
  const random = randomFrom(7)
  const ip: Mutable = { family: 4, words: [0, 0, 0, 0] }
  const address = (i: number): IpAddress => {
    ip.words[3] = 0x0a000000 + i
    return ip
  }
  const text = (i: number) => `session-${1_000_000 + i}`
  for (let i = 0; i < keys; i++) limiter.take(address(i), 1, DAY_MS)
  let now = DAY_MS
  const ofAddresses = nsOf(() => void limiter.take(address(random(keys)), 1, (now += random(2))))
  const alone = nsOf(() => void address(random(keys)))
  for (let i = 0; i < keys; i++) limiter.take(text(i), 1, now)
  const ofTexts = nsOf(() => void limiter.take(text(random(keys)), 1, (now += random(2))))
  let length = 0
  const making = nsOf(() => void (length += text(random(keys)).charCodeAt(9)))
  if (length === 0) throw new Error('what was made was not used')
  told('exact, by address', ofAddresses - alone, 'ns', TO_REACH.exactNs)
  told('exact, by text', ofTexts - making, 'ns', TO_REACH.exactNs)
  told('exact, memory', bytes / keys, 'bytes a key', TO_REACH.keyBytes)
}

const PREFIXED: LimiterPlan = {
  algorithm: 'sliding-window',
  count: 100,
  windowMs: 10_000,
  store: 'sketch',
  keysMax: 1,
  replacement: 's3-fifo',
  sketch: { depth: 3, cellBits: 16 },
  prefixes: {
    v4: levelPlans({ count: 100, windowMs: 10_000 }, [{ length: 32 }]),
    v6: levelPlans(
      { count: 100, windowMs: 10_000 },
      [64, 56, 48].map((length) => ({ length })),
    ),
  },
}

function sketch(): void {
  const { limiter } = made(PREFIXED)
  const random = randomFrom(7)
  const ip: Mutable = { family: 6, words: [0, 0, 0, 0] }
  const source = (): IpAddress => {
    ip.words[0] = 0x20010000 + random(0xffff)
    ip.words[1] = random(2 ** 32)
    return ip
  }
  let at = 0
  const decision = nsOf(() => void limiter.take(source(), 1, DAY_MS + (at++ >> 7)))
  const alone = nsOf(() => void source())
  told('sketch, three IPv6 levels, a source each', decision - alone, 'ns', TO_REACH.sketchNs)
  const few = nsOf(() => {
    ip.words[0] = 0x20010db8
    ip.words[1] = (at++ & 0x3ff) << 16
    limiter.take(ip, 1, DAY_MS * 2 + (at >> 7))
  })
  told('sketch, three IPv6 levels, a thousand sources', few, 'ns', TO_REACH.sketchNs)
}

function flood(): void {
  const { limiter, bytes, line } = made(PREFIXED)
  const sources = given.quick ? 1_000_000 : 10_000_000
  const offenders = 10_000
  const honest = 50_000
  const random = randomFrom(11)
  const ip: Mutable = { family: 6, words: [0, 0, 0, 0] }
  const source = (first: number, number: number): IpAddress => {
    // By a bijection, so that all of them are distinct and nothing of them is in order.
    ip.words[0] = first
    ip.words[1] = Math.imul(number + 1, 0x9e3779b1) >>> 0
    ip.words[2] = Math.imul(number + 7, 0x85ebca6b) >>> 0
    return ip
  }
  let honestAsked = 0
  let honestRefused = 0
  let offendersAllowed = 0
  const minute = 60_000
  const started = process.cpuUsage()
  const turns = sources / 100
  for (let turn = 0; turn < turns; turn++) {
    const now = DAY_MS + Math.floor((turn * minute) / turns)
    for (let i = 0; i < 100; i++) limiter.take(source(0x20020000, turn * 100 + i), 1, now)
    // In each ten seconds, an offender asks some 167 times and more, and is allowed 100.
    for (let i = 0; i < 100 * (10_000_000 / sources); i++)
      if (limiter.take(source(0x2003_0000, random(offenders)), 1, now).allowed) offendersAllowed += 1
    // An honest client asks up to ten times in ten seconds.
    for (let i = 0; i < 10; i++) {
      honestAsked += 1
      if (!limiter.take(source(0x2004_0000, random(honest)), 1, now).allowed) honestRefused += 1
    }
  }
  const { user, system } = process.cpuUsage(started)
  const asked = sources + turns * 100 * (10_000_000 / sources) + honestAsked
  console.log(`flood: ${line}`)
  console.log(
    `flood: ${sources} sources, ${offenders} offenders (${Math.round(offendersAllowed / offenders / 6)} allowed in 10 s each), ${(((user + system) / asked) * 1000).toFixed(0)} ns a question`,
  )
  told('flood, memory', bytes / 2 ** 20, 'MiB', TO_REACH.floodMib)
  told(
    `flood, honest questions wrongly refused: ${honestRefused} of ${honestAsked}`,
    (honestRefused / honestAsked) * 100,
    '%',
    TO_REACH.wronglyRefused * 100,
  )
}

async function rival(): Promise<void> {
  for (const [name, keys, limit] of [
    ['allowed', 1000, 1_000_000_000],
    ['refused', 1000, 5],
    ['allowed, many keys', 100_000, 1_000_000_000],
  ] as const) {
    const texts = Array.from({ length: keys }, (_, i) => `192.0.2.${i}`)
    const random = randomFrom(3)
    const own = new TokenBucket({ limit, window: '30d', keysMax: keys })
    const other = new RateLimiterMemory({ points: limit, duration: 20 * 24 * 3600 })
    const asked = calls / 10
    const times: { own: number; other: number }[] = []
    for (let round = 0; round <= rounds; round++) {
      const allowed = { own: 0, other: 0 }
      const ownNs = await nsOnce(calls, () => {
        for (let i = 0; i < calls; i++) if (own.take(texts[random(keys)]!).allowed) allowed.own += 1
      })
      const otherNs = await nsOnce(asked, async () => {
        for (let i = 0; i < asked; i++) {
          try {
            await other.consume(texts[random(keys)]!)
            allowed.other += 1
          } catch {
            // It rejects what is over the limit.
          }
        }
      })
      const isRight =
        limit > 5
          ? allowed.own === calls && allowed.other === asked
          : allowed.own <= 5 * keys && allowed.other <= 5 * keys
      if (!isRight) throw new Error(`${allowed.own} and ${allowed.other} were allowed`)
      times.push({ own: ownNs, other: otherNs })
    }
    // The first round is for the compiler.
    const counted = times.slice(1)
    const [ownNs, otherNs] = [
      median(counted.map((took) => took.own)),
      median(counted.map((took) => took.other)),
    ]
    console.log(
      `rival, ${name}: ${(1000 / ownNs).toFixed(1)} and ${(1000 / otherNs).toFixed(2)} million decisions a CPU second`,
    )
    atLeast(
      `rival, ${name}`,
      median(counted.map((took) => took.other / took.own)),
      'times rate-limiter-flexible',
      TO_REACH.rivalTimes,
    )
  }
  // It keeps a timer for each key.
  process.exit()
}

function made(plan: LimiterPlan): { limiter: SharedLimiter; bytes: number; line: string } {
  const shared = createSharedWords(regionWords(plan))
  shared.unlink()
  layRegion(shared.words, plan, randomBytes(16))
  return {
    limiter: new SharedLimiter(plan, shared.words, { worker: 0 }),
    bytes: shared.words.byteLength,
    line: statedError(plan),
  }
}

/** CPU time of a call, in nanoseconds: the median of the rounds. */
function nsOf(call: () => void): number {
  const times = Array.from({ length: rounds + 1 }, () => {
    const start = process.cpuUsage()
    for (let i = 0; i < calls; i++) call()
    const { user, system } = process.cpuUsage(start)
    return ((user + system) * 1000) / calls
  })
  return median(times.slice(1))
}

async function nsOnce(count: number, work: () => void | Promise<void>): Promise<number> {
  const start = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(start)
  return ((user + system) * 1000) / count
}

function told(name: string, figure: number, unit: string, most: number): void {
  console.log(
    `${name}: ${figure.toFixed(unit === '%' ? 4 : 1)} ${unit} (${figure <= most ? 'reached' : 'NOT reached'}: ≤ ${most})`,
  )
}

function atLeast(name: string, figure: number, unit: string, least: number): void {
  console.log(
    `${name}: ${figure.toFixed(1)} ${unit} (${figure >= least ? 'reached' : 'NOT reached'}: ≥ ${least})`,
  )
}

/** The same numbers every time. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

if (given.here === undefined) for (const name of given.only.split(',')) runApart(name)
else await { exact, sketch, flood, rival }[given.here as (typeof NAMES)[number]]()
