/** Deploys version after version of one unit, and remembers which were acknowledged, and of which nobody knows. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChangeResult } from '../../src/control/shapes.ts'
import type { LogEntry } from '../../src/contract/store.ts'
import { ask } from './http-client.ts'
import { eventually } from './eventually.ts'

export interface Acknowledged {
  /** What the unit answers. */
  readonly text: string
  readonly version: number
  /** When the answer was here. */
  readonly atMs: number
}

export interface Unacknowledged {
  readonly text: string
  /** What was answered instead; 0: the connection was lost. */
  readonly status: number
  readonly answer: string
}

export interface PublisherOptions {
  /** Where it publishes: one after the other, where the one before does not answer. */
  readonly targets: readonly { readonly control: string }[]
  readonly unit: string
  /** What its texts begin with. */
  readonly prefix: string
  readonly wait: 'stored' | 'all'
  readonly timeoutMs: number
  readonly pauseMs?: number
  /** Each version is longer by so many characters. */
  readonly padding?: number
}

/** Longer than the change itself may take. */
const CONNECTION_GRACE_MS = 20_000
const PAUSE_MS = 15
const AFTER_FAILURE_MS = 100

export class Publisher {
  readonly acknowledged: Acknowledged[] = []
  readonly unacknowledged: Unacknowledged[] = []
  readonly #options: PublisherOptions
  #count = 0
  #target = 0
  #isStopped = false

  constructor(options: PublisherOptions) {
    this.#options = options
  }

  get wait(): 'stored' | 'all' {
    return this.#options.wait
  }

  stop(): void {
    this.#isStopped = true
  }

  async run(): Promise<void> {
    while (!this.#isStopped) {
      const isDone = await this.publish()
      await sleep(isDone ? (this.#options.pauseMs ?? PAUSE_MS) : AFTER_FAILURE_MS)
    }
  }

  /** True where it was acknowledged. */
  async publish(wait = this.#options.wait): Promise<boolean> {
    const { targets, unit, prefix, timeoutMs, padding = 0 } = this.#options
    const text = `${prefix}-${++this.#count}`
    const { control } = targets[this.#target % targets.length]!
    const outcome = await ask(new URL(`/v1/units/${unit}`, control), {
      method: 'PUT',
      headers: { authorization: 'Bearer test', 'content-type': 'application/json' },
      body: JSON.stringify({ source: sourceOf(text, padding), language: 'js', wait, timeoutMs }),
      timeoutMs: timeoutMs + CONNECTION_GRACE_MS,
    }).catch((error: Error) => ({ status: 0, text: error.message }))
    if (outcome.status === 200) {
      const { version } = JSON.parse(outcome.text) as ChangeResult
      this.acknowledged.push({ text, version, atMs: performance.now() })
      return true
    }
    this.unacknowledged.push({ text, status: outcome.status, answer: outcome.text })
    if (outcome.status === 0 || outcome.status === 503) this.#target++
    return false
  }

  /** Waits until so many more are acknowledged. */
  async progress(count: number): Promise<void> {
    const before = this.acknowledged.length
    await eventually(() => this.acknowledged.length >= before + count, {
      what: () =>
        `${this.acknowledged.length - before} of ${count} were acknowledged; the last that was not: ${JSON.stringify(this.unacknowledged.at(-1))}`,
    })
  }

  /** Publishes once more, to all, until that is done. Its text. */
  async finish(): Promise<string> {
    await eventually(() => this.publish('all'), {
      everyMs: AFTER_FAILURE_MS,
      withinMs: 60_000,
      what: () => `no publish goes through: ${JSON.stringify(this.unacknowledged.at(-1))}`,
    })
    return this.acknowledged.at(-1)!.text
  }

  /** What the unit answered, in the order of the log. */
  liveTexts(entries: readonly LogEntry[]): readonly string[] {
    const { unit } = this.#options
    const texts = this.#texts(entries)
    return entries.flatMap(({ key, operation, value }) => {
      if (key !== `unit/${unit}` || operation !== 'SET') return []
      const { live } = JSON.parse(value) as { live: number }
      return live === 0 ? [] : [texts.get(live)!]
    })
  }

  /** Each that was acknowledged stands in the log with the version that was said, in the order in which it was said. */
  assertKept(entries: readonly LogEntry[]): void {
    const texts = this.#texts(entries)
    for (const { version, text } of this.acknowledged)
      assert.equal(texts.get(version), text, `version ${version} was acknowledged`)
    const history = this.liveTexts(entries)
    let at = -1
    for (const { text } of this.acknowledged) {
      const next = history.indexOf(text)
      assert.ok(
        next > at,
        `${text} was acknowledged after ${history[at]}, and stands at ${next} and not behind ${at}`,
      )
      at = next
    }
  }

  #texts(entries: readonly LogEntry[]): ReadonlyMap<number, string> {
    const prefix = `unit-version/${this.#options.unit}/`
    return new Map(
      entries.flatMap(({ key, operation, value }) =>
        key.startsWith(prefix) && operation === 'SET'
          ? [[Number(key.slice(prefix.length)), /<([\w-]+)>/.exec(value)![1]!] as const]
          : [],
      ),
    )
  }
}

/** The text stands first, where it is found again; the padding in code, as comments do not last. */
const sourceOf = (text: string, padding: number): string =>
  `const padding = ${JSON.stringify(`<${text}>${'.'.repeat(padding)}`)}
   export default { content: () => new Response(padding === '' ? '' : ${JSON.stringify(text)}) }`
