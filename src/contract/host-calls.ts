/**
 * What a unit can ask of its worker: `edge.kv`, `edge.cache`, `fetch`, signatures of public keys. A call leaves the sandbox as a record and comes back
 * as an entry; in between lies a `HostCalls`, which does it.
 *
 * When am I called? Once for each call of a unit, with what the sandbox sent, unchecked: heads and bodies come from untrusted
 * code. What may I touch? Everything but the sandbox. What does my return mean? How to give the call up. Without any, every
 * call is refused.
 */
import type { UnitVersion } from './unit.ts'

/** The kinds of calls, by the number under which they travel. */
export const CALL_KINDS = {
  'kv.get': 1,
  'kv.list': 2,
  'kv.put': 3,
  'kv.delete': 4,
  'kv.increment': 5,
  fetch: 6,
  'cache.get': 7,
  'cache.put': 8,
  'cache.delete': 9,
  'crypto.verify': 10,
  /** Of the tests of a unit: see `trial/`. */
  'test.ask': 11,
  /** Of units that follow a source: see `redis-commands.ts`. */
  'redis.read': 12,
  'redis.write': 13,
  'kv.compareAndSet': 14,
  purge: 15,
  'limit.take': 16,
  ban: 17,
} as const

export type CallKind = keyof typeof CALL_KINDS

const NAMES = new Map<number, CallKind>(
  Object.entries(CALL_KINDS).map(([name, number]) => [number, name as CallKind]),
)

export const callKindOf = (number: number): CallKind | undefined => NAMES.get(number)

/**
 * What cannot be taken back: an invocation that did it is not run a second time. (What it takes of limits is none: an invocation that is run again
 * is answered as the first time, and takes it once. See `host/limit-calls.ts`.)
 */
export const isEffect = (kind: CallKind): boolean => EFFECTS.has(kind)

const EFFECTS: ReadonlySet<CallKind> = new Set([
  'fetch',
  'kv.put',
  'kv.delete',
  'kv.increment',
  'kv.compareAndSet',
  'redis.write',
  'purge',
  'ban',
])

/** What one invocation has used up. Shared by all its calls, also those that go on after its answer. */
export interface CallAccount {
  fetches: number
  /** Of bodies that went out and came in by `fetch`. */
  fetchedBytes: number
  /** The head of the request that the invocation is for, or empty. */
  readonly requestHead: string
  /** Name of the site that the request is for: limits are looked for there first. Undefined for what is no request, or for no site. */
  readonly site: string | undefined
  /** How often the invocation was begun anew, since something else took its isolate down. */
  runs: number
  /** What it took of limits, to be answered the same where it is begun anew; undefined before the first. */
  taken: TakenOfLimits | undefined
  /** Where its calls are listed; undefined where nobody looks. */
  readonly trace: CallTrace[] | undefined
}

export const newCallAccount = (
  requestHead = '',
  site: string | undefined = undefined,
  isTraced = false,
): CallAccount => ({
  fetches: 0,
  fetchedBytes: 0,
  requestHead,
  site,
  runs: 0,
  taken: undefined,
  trace: isTraced ? [] : undefined,
})

/** The answers to one invocation, by what was asked, in order. */
export interface TakenOfLimits {
  readonly byQuestion: Map<
    string,
    { readonly answers: (HostAnswer | Promise<HostAnswer>)[]; run: number; next: number }
  >
  count: number
}

/** One call as the author sees it afterwards. */
export interface CallTrace {
  /** Whose it is: `NAME@VERSION`. */
  readonly unit: string
  readonly kind: CallKind
  /** The key, or method and URL. */
  readonly target: string
  /** When it was asked, on the monotonic clock. */
  readonly startedMs: number
  readonly ms: number
  /** `hit`, `miss`, `ok`, a status, or the code of an error. */
  readonly result: string
}

export interface HostCall {
  readonly unit: UnitVersion
  readonly kind: CallKind
  /** JSON, as the guest wrote it: may be anything. */
  readonly head: string
  /** Text in UTF-16, or bytes as Latin-1. */
  readonly body: string
  readonly isBytes: boolean
  readonly account: CallAccount
}

/** An answer: texts with a character a byte. */
export interface HostAnswer {
  readonly ok: boolean
  /** Where it is not ok: JSON of `HostError`, in ASCII. */
  readonly head: string
  readonly body: string
  /** Where the body is not whole yet, and `body` is empty: it comes by this. */
  readonly rest?: HostBody | undefined
  /** For the trace and the metrics: a word. */
  readonly result: string
  /** For the trace. */
  readonly target: string
}

/**
 * A body that an answer began, at the pace of whoever reads it: what is not taken keeps it from coming. Whoever is given one starts it or
 * cancels it.
 */
export interface HostBody {
  /** Once. `isCounted`: what is taken counts for the account of the call, and more than that allows breaks it off. */
  start(sink: HostBodySink, isCounted: boolean): void
  /** After `take` said false: there is room. */
  resume(): void
  /** Nobody wants it: where it comes from is told so, and the sink is told nothing more. */
  cancel(): void
}

/** Where the pieces of a `HostBody` go. After the last one, or `fail`, it is told nothing more. */
export interface HostBodySink {
  /** 64 KiB at most, and the sink's to keep; empty only where it is the last. False: no more until `resume`. */
  take(piece: Uint8Array<ArrayBufferLike>, isLast: boolean): boolean
  /** It broke off: what has come is not whole. */
  fail(error: HostError): void
}

/** What the unit gets thrown. */
export interface HostError {
  /** `TypeError`, `RangeError`, `AbortError`…: as the web's interfaces throw. */
  readonly name: string
  readonly message: string
  /** One word for programs: `kv-quota`. */
  readonly code: string
}

export interface HostCalls {
  /** Answers once, now or later, unless it was given up before. */
  start(call: HostCall, answer: (answer: HostAnswer) => void): (() => void) | undefined
}

/** Text with a character a byte, for JSON that may hold any character. */
export const asciiJson = (value: unknown): string =>
  JSON.stringify(value).replaceAll(
    /[\u0080-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

export const refusal = (code: string, message: string, name = 'Error', target = ''): HostAnswer =>
  refusalOf({ name, message, code }, target)

export const refusalOf = (error: HostError, target = ''): HostAnswer => ({
  ok: false,
  head: asciiJson(error),
  body: '',
  result: error.code,
  target,
})
