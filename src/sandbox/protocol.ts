/**
 * What crosses into a unit's isolate: one string in, one string out, by one synchronous call `step(batch)`.
 *
 * Everything is text, because a string is what crosses between isolates cheapest (measured: 9 KB in 2 µs; a decoder
 * over shared bytes would cost ten times that), and because the unit then looks only at what it needs: sections are
 * substrings, parsed when asked for. Heads are Latin-1, one character a byte. Values in edits hold no line breaks: the guest
 * checks when they are set, and the worker checks again, since the guest is not trusted.
 *
 * A batch is entries after each other, all of one unit:
 *
 *     1 ID PHASES META HEAD RESPONSE EDITS BODY \n  then the five sections, their lengths in characters   invoke
 *     2 TIMER \n                                                                                         a timer fired
 *     3 \n                                                                                               go on
 *     4 ID \n                                                                     forget an invocation (it timed out)
 *     5 \n                                                                                     say the last answer again
 *     6 CALL STATUS HEAD BODY \n  then head, body                                      the answer to a call of the unit
 *
 * Fields are decimal numbers, each followed by one space. Ids are 1 to 2^31-1. HEAD may end with or without its last CRLF.
 * STATUS of a call is 0 where it was done, 2 where it was and its body is read from now on (BODY is empty); else 1, and HEAD is JSON
 * {name, message, code}. Calls are numbered by the guest, from a
 * random number on, so that an answer that comes late for an isolate that is gone meets nobody in the next one.
 *
 * Three rules for the host:
 * - Microtasks run when the outermost call returns, after the answer was made. So after each step while invocations of
 *   the unit are pending (those included that it just reported) it enters once more with `3`, unless that step was
 *   nothing but a `3`: what an `await` finished meanwhile is answered there.
 * - A rejection that nobody handles makes isolated-vm throw it from the call and drop the answer. `step` itself never
 *   throws. So where the call throws and the isolate lives (it was neither the trip wire nor the memory), the error is
 *   logged as a warning of the unit, and the host enters with `5` alone, whose answer takes the place of the lost one
 *   (what continuations added meanwhile comes with it).
 * - After `RECORD_MORE` the entries from INDEX on are sent again; a timer or a `forget` among them as well.
 *
 * The answer is records after each other, the same way:
 *
 *     1 ID OUTCOME PHASE EDITS HEAD BODY BODYKIND \n  then edits, head, body                             an invocation
 *         OUTCOME 0: next. 1: a response: HEAD is `STATUS\nname: value\r\n…`, BODYKIND 0 text (UTF-16, to be sent
 *         as UTF-8), 1 bytes (Latin-1). 2: threw: HEAD is JSON {name, message, stack}. 3: pending: awaits; its record
 *         comes with a later step. PHASE is the phase bit where it ended (0 for next).
 *     2 ID LEVEL WHERE TEXT \n  then where, text     a log line (ID 0: from the top level). LEVEL 0 debug 1 info 2 warn 3 error.
 *         WHERE is `FILE:LINE:COLUMN` of the unit's script, or empty. It comes from the unit's isolate: not to be trusted.
 *     3 TIMER MS \n                                 start a timer
 *     4 TIMER \n                                    clear a timer
 *     5 INDEX \n                                    the step used its slice: entries from INDEX on were not started
 *     6 CALL ID KIND HEAD BODY BODYKIND \n  then head, body    a call of the host, for invocation ID or 0 where that is not known
 *     7 CALL \n                                     the unit does not wait for the call any more, nor for what is left of its body
 *     8 ID ON \n                                    ON 1: work of the invocation goes on after its answer (`waitUntil`); 0: no more
 *
 * In `bodyFilter` an invocation is one piece of the body. BODY begins with what it is, `b` base64, `a` ASCII text or `u` UTF-8 as
 * Latin-1, and whether it is the last, `0` or `1`. A filter that changes it answers (outcome 1) with a HEAD of `200\n` and as BODY
 * the new piece; BODYKIND 2 is base64, 3 is `PREFIX SUFFIX\n` and a text: so many characters at either end of the piece are as
 * they were, and the text is what lies between.
 *
 * In `dns` HEAD is one line without its end, `TYPE CLASS ADDRESS PORT PROTO TRANSPORT DO ZONE NAME`, and the answer (outcome 1, a HEAD of `200\n`)
 * has lines as BODY: `a RCODE AA`, then records, each behind the letter of its section (`n` answer, `u` authority, `x` additional) and
 * in the words of master files; or `q TYPE NAME`, where the chain is asked that in its place, `-` for what stays. The worker checks all of it.
 *
 * BODYKIND 4 is an answer whose body comes in calls: KIND 100 opens it and is answered, with an error, when nobody wants the body any more; KIND 101
 * is a piece as bytes, answered when there is room for the next one; KIND 102, not answered, ends it, in order where HEAD is empty, else HEAD is
 * JSON {name, message, stack} of what was thrown. It comes also after the first was answered, when the unit's `cancel` is done: until
 * then calls of that ID count as those of a request under way.
 *
 * A body that is read comes in calls too: KIND 103, whose HEAD is the number of the call that the body belongs to, asks for the next piece. The answer's
 * BODY is the piece, and HEAD is not empty with the last one, which alone may be. One is under way at a time for each body. BODYKIND 5 is an
 * answer that passes such a body on to whoever asked, unread: BODY is that number. Of what is passed on nothing crosses.
 *
 * Edits are lines, each ending in `\n`. On the request: `m GET` method, `p /path` path, `q a=b&c` query (without `?`,
 * empty for none), `h name: value` set a header, `a name: value` append one, `d name` delete. On the response, staged
 * or present: `H`, `A`, `D` likewise, and `S 404` its status. In `origin`, `e URL` is the endpoint to ask; in
 * `originResponse`, `T 60` is for how many seconds the response is fresh. `k /TEXT`, in `rewrite` and `access`, is what the answer is
 * kept under, in visible ASCII. `z NAME JSON` is `edge.state` of the unit NAME, in ASCII:
 * the worker keeps it, and it comes along with the request's later runs. Names are spelled as
 * the unit wrote them; which ones are the same is decided without regard to case.
 */
import type { CacheOutcome } from '../contract/cache-outcome.ts'
import type { ClientCertificate } from '../contract/tls.ts'

/** How long `step` starts further entries, in milliseconds of wall time: then it hands back what is finished. */
export const SLICE_MS = 4

export const INVOKE = 1
export const TIMER_FIRED = 2
export const GO_ON = 3
export const FORGET = 4
export const SAY_AGAIN = 5
export const ANSWER = 6

export const RECORD_INVOCATION = 1
export const RECORD_LOG = 2
export const RECORD_TIMER = 3
export const RECORD_TIMER_CLEAR = 4
export const RECORD_MORE = 5
export const RECORD_CALL = 6
export const RECORD_CALL_DROPPED = 7
export const RECORD_BACKGROUND = 8

export const OUTCOME_NEXT = 0
export const OUTCOME_RESPONSE = 1
export const OUTCOME_THREW = 2
export const OUTCOME_PENDING = 3

export const BODY_TEXT = 0
export const BODY_BYTES = 1
export const BODY_BASE64 = 2
export const BODY_PATCH = 3
export const BODY_STREAM = 4
export const BODY_PASSED = 5

export const STREAM_OPEN = 100
export const STREAM_PIECE = 101
export const STREAM_END = 102
export const BODY_READ = 103

/** STATUS of a call. */
export const CALL_DONE = 0
export const CALL_FAILED = 1
export const CALL_GOES_ON = 2
/** Nobody is behind it: it never settles. */
export const CALL_UNHEARD = 3

/** Bytes of one piece of a streamed answer. */
export const STREAM_PIECE_MAX = 64 * 1024

/** Characters in front of a piece of a body: its kind, and whether it is the last. */
export const PIECE_MARK = 2

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const

/**
 * What the guest's bundle, a script, evaluates to. The host keeps references to both functions; units never see them.
 */
export interface Guest {
  /**
   * Once, before the first step: runs the unit's top level and reads its handlers. `define` is the unit's code as a
   * function, compiled in the same context. `setup` is JSON, `GuestSetup`. `progress` is twelve bytes of shared memory, three
   * Int32, so that the host knows whose run was cut off even when the isolate is gone. Word 0: `step` writes the index
   * of the entry it is about to run (0 for the first of the batch), and -1 before it returns; what runs then are
   * continuations of awaiting invocations. Word 1: the id of the invocation that runs, the one that set the timer that
   * fires or made the call that is answered, or 0; when `step` returns, the one whose entries were all it held, or 0 (to learn
   * whose a continuation is then, replay them one by one). Word 2: how much awaits when `step` returns. Of
   * shorter memory it writes the words that there are.
   * Returns `Installed` as JSON. Does not throw, unless by a rejection that nobody handles (see above).
   */
  install(
    define: (exports: object, module: { exports: object }) => void,
    setup: string,
    progress?: SharedArrayBuffer,
  ): string
  /**
   * Takes a batch, in pieces, or a long one in a list (see `isolate-host.ts`). Records of the log and of timers that the top level made come
   * with the first step's answer. In a list, since lists are copied: a text by itself crosses as memory outside of the heap. In a list of
   * several every second one is what comes after the mark of a piece of a body, which the text before it ends with: it is neither
   * joined to the rest nor cut out of it.
   */
  step(...pieces: string[] | [long: readonly string[]]): [answer: string]
}

export interface GuestSetup {
  readonly name: string
  readonly version: number
  /** `edge.env`. */
  readonly env: Readonly<Record<string, string>>
  /** `edge.node`. */
  readonly node: { readonly name: string; readonly groups: readonly string[] }
  /** It holds the tests of a unit, which may ask for that to be run (`orlaTest`). */
  readonly isTest?: boolean
  /** It follows a source, and has `edge.redis`. */
  readonly hasRedis?: boolean
  /** 32 fresh random bytes in hex, from which `crypto` of this isolate draws. */
  readonly entropy: string
}

/** What `install` answers, as JSON. */
export type Installed =
  | {
      readonly ok: true
      /** An OR of `PHASE_BITS`. A `fetch` handler counts as `content`. */
      readonly phases: number
      /** The other fields of the unit as they are, for the manifest; what is no JSON (a function) is null. */
      readonly fields: Readonly<Record<string, unknown>>
    }
  | { readonly ok: false; readonly reason: 'syntax'; readonly message: string; readonly stack: string }

/** META of an invocation, as JSON: parsed in the guest, and only if the unit looks. Every part may be absent. */
export interface InvocationMeta {
  readonly client?: {
    readonly address: string
    readonly port: number
    readonly scheme: 'http' | 'https'
    readonly certificate?: ClientCertificate
  }
  readonly scheme?: 'http' | 'https'
  /** In `dns`, where the unit's code names them: what plugins tell of the query. */
  readonly tags?: Readonly<Record<string, string>>
  /** Where the unit's code names it. */
  readonly requestId?: string
  /** In `origin`: the URLs of the site's endpoints. */
  readonly endpoints?: readonly string[]
  /** In `originResponse`: seconds for which the response is fresh by its headers. */
  readonly ttl?: number
  /** From `originResponse` on, where the unit's code names it: `request.cache`. */
  readonly cache?: CacheOutcome
  /** For `headerFilter` and `log`, as `edge.timing`. Milliseconds, but the RTT of the client's connection in µs. */
  readonly timing?: {
    readonly requestMs?: number
    readonly upstreamConnectMs?: number
    readonly upstreamResponseMs?: number
    readonly tcpRttUs?: number
  }
}
