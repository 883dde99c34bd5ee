/**
 * Runs units for one worker. The HTTP pipeline sends trips in; what is behind (a sandbox process, or an isolate in the
 * worker for `isolation: "inline"`) is not its business.
 */
import type { CallTrace } from './host-calls.ts'
import type { FailureReason, Phase, UnitVersion } from './unit.ts'

/** A unit that runs on a trip, with the phases it runs there (an OR of `PHASE_BITS`, run in the order of phases). */
export interface TripStep {
  readonly unit: UnitVersion
  readonly phases: number
}

/** A piece of a body: what stands in front of it (see `sandbox/protocol.ts`), and bytes that nobody changes, which cross as Latin-1. */
export interface BodyPiece {
  readonly mark: string
  readonly bytes: Buffer
}

/**
 * One journey of a request through one or more units, without the worker in between.
 *
 * `rewrite` and `access` travel together: the steps [a: rewrite, b: rewrite, a: access] are one trip. The texts are
 * Latin-1: a character is a byte. See `sandbox/protocol.ts` for the form of `response` and `edits`.
 */
export interface Trip {
  readonly steps: readonly TripStep[]
  /** JSON with what `edge.client` and `edge.node` are made of. Parsed in the unit, and only if it looks. */
  readonly meta: string
  /** The head of the request as received, from the method to before the empty line. */
  readonly head: string
  /** `STATUS\nname: value\r\n…` of the response, in `headerFilter` and `log`; empty before. */
  readonly response: string
  /** What earlier units changed, to be applied before the first step. */
  readonly edits: string
  /** The request's body, for `content`; a piece of the response's, for `bodyFilter`. Empty otherwise. */
  readonly body: string | BodyPiece
  /** Name of the request's site: limits that its units ask for are looked for there first. */
  readonly site?: string | undefined
  /** Its calls of the host are listed, and told by `traced`, before `done`. */
  readonly isTraced?: boolean
  traced?(calls: readonly CallTrace[]): void
  /** Called exactly once, never from within `run`. */
  done(outcome: TripOutcome): void
}

/**
 * The body of an answer that a unit makes as it goes. Whoever is given one starts it or cancels it.
 *
 * At most one piece is under way: what is not taken keeps the unit from making more.
 */
export interface UnitBody {
  /** Once. The sink may be told something before this returns. */
  start(sink: UnitBodySink): void
  /** After `write` said false: there is room. */
  resume(): void
  /** Nobody wants it any more, and the unit is told why. The sink is told nothing more. */
  cancel(why: string): void
}

/** Where the pieces of a `UnitBody` go. After `end` or `fail` it is told nothing more. */
export interface UnitBodySink {
  /** The piece is the sink's to keep, and not empty. False: no more until `resume`. */
  write(piece: Buffer): boolean
  end(): void
  /** The unit failed, which is counted and logged already: what has come is not whole. `message` is for the author. */
  fail(reason: FailureReason, message: string): void
}

export type TripOutcome =
  /** Every step ran, and none answered. `edits` are those of this trip, to be appended to the ones before. */
  | { readonly kind: 'next'; readonly edits: string; readonly runs: readonly StepRun[] }
  /** The unit of `step` answered; later steps did not run. */
  | {
      readonly kind: 'response'
      readonly step: number
      readonly phase: Phase
      readonly edits: string
      readonly status: number
      /** `name: value\r\n` for each header. Comes from untrusted code: check before sending. */
      readonly headers: string
      readonly body: string | Uint8Array
      /** In `bodyFilter`: so many bytes at either end of the piece are as they were, and `body` is what lies between. */
      readonly kept?: { readonly prefix: number; readonly suffix: number } | undefined
      /** The body is a text with as many bytes as characters. False where it was not looked at. */
      readonly isAscii?: boolean
      /** The body comes piece by piece, and `body` is empty. */
      readonly stream?: UnitBody | undefined
      readonly runs: readonly StepRun[]
    }
  /** The unit of `step` failed in `phase`; later steps did not run. `edits` hold what the steps before it changed. */
  | {
      readonly kind: 'failed'
      readonly step: number
      readonly phase: Phase
      readonly edits: string
      readonly reason: FailureReason
      /** For the log and the author; never for the client. */
      readonly message: string
      readonly runs: readonly StepRun[]
    }

/** What one step cost, and how far it came. */
export interface StepRun {
  readonly step: number
  readonly cpuUs: number
  /** Characters of the trip's `edits` once it had run: what one step changed lies between two of them. */
  readonly editsEnd: number
}

/** What trying a version out brought to light. */
export interface TryOutcome {
  /** What is wrong with it, in words; empty where it may be deployed. */
  readonly problems: readonly string[]
  /** What the module says of itself. Absent where there are problems. */
  readonly module?: ModuleFacts
}

/** What became of a unit's own tests. */
export interface TestReport {
  readonly passed: number
  readonly failures: readonly TestFailure[]
}

export interface TestFailure {
  /** Of the test. */
  readonly name: string
  readonly message: string
  /** The author's file and line: `gate.test.ts:7:3`. */
  readonly where?: string
}

/** Read in a sandbox: only running a module tells what it exports. */
export interface ModuleFacts {
  /** The handlers it exports, as an OR of `PHASE_BITS`. A `fetch` handler counts as `content`. */
  readonly phases: number
  /** Its other fields as plain data, unchecked; `unit/manifest.ts` makes a manifest of them. */
  readonly fields: Readonly<Record<string, unknown>>
}

export interface UnitRunner {
  /** Sends a trip. Its texts, and the bytes of a piece, are kept until it is done: it may have to be sent again. */
  run(trip: Trip): void
  /**
   * Makes versions ready beside the ones that run: compiles them and runs their top level. Resolves to what was wrong,
   * in words, or to nothing. Called before the flip; the versions that run are not touched.
   */
  prepare(units: readonly UnitVersion[]): Promise<readonly string[]>
  /**
   * From now on requests meet these versions. Of others only what is in flight finishes: timers that nobody awaits end, so that
   * what is switched off or removed is off.
   */
  setLive(units: readonly UnitVersion[]): void
  /** A unit was not run, for a reason that is not its code's: counted and told as a failure, and no matter of its breaker. */
  refused(unit: UnitVersion, phase: Phase, reason: FailureReason, message: string): void
  /** Forgets a version: no trip will name it again. Trips in flight finish. */
  release(unit: UnitVersion): void
  /** Lets what is in flight finish, then ends the processes. */
  close(): Promise<void>
}
