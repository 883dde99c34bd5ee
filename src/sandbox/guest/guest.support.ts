/**
 * A guest in a real isolate, for tests and benches: set up, entered and read as the sandbox host does it, with the clock
 * in the test's hand.
 */
import type ivm from 'isolated-vm'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { PHASE_BITS, type Phase } from '../../contract/unit.ts'
import {
  FORGET,
  type Guest,
  type GuestSetup,
  INVOKE,
  type Installed,
  type InvocationMeta,
  OUTCOME_PENDING,
  RECORD_INVOCATION,
  RECORD_LOG,
  RECORD_TIMER,
  RECORD_TIMER_CLEAR,
  GO_ON,
  SAY_AGAIN,
  TIMER_FIRED,
} from '../protocol.ts'
import { makeBundles } from '../bundle-files.ts'
import { isolatedVmPath, loadIsolatedVm } from '../isolated-vm.ts'

const isolatedVm = loadIsolatedVm(isolatedVmPath())

let bundle: string | undefined

/** Wall time, for what never ends: what ends has time enough on a machine that stands still for seconds. */
const STEP_MS = 120_000

export interface Sections {
  readonly meta?: InvocationMeta
  readonly head?: string
  readonly response?: string
  readonly edits?: string
  readonly body?: string
}

export const HEAD = 'GET / HTTP/1.1\r\nHost: example.org\r\n'

export const phaseMask = (phases: readonly Phase[]): number =>
  phases.reduce((mask, phase) => mask | PHASE_BITS[phase], 0)

export function invokeEntry(id: number, phases: readonly Phase[], sections: Sections = {}): string {
  const meta = sections.meta === undefined ? '' : JSON.stringify(sections.meta)
  const { head = HEAD, response = '', edits = '', body = '' } = sections
  const lengths = [meta, head, response, edits, body].map((section) => section.length).join(' ')
  return `${INVOKE} ${id} ${phaseMask(phases)} ${lengths} \n${meta}${head}${response}${edits}${body}`
}

export type GuestRecord =
  | {
      readonly kind: 'invocation'
      readonly id: number
      readonly outcome: number
      readonly phase: number
      readonly edits: string
      readonly head: string
      readonly body: string
      readonly bodyKind: number
    }
  | {
      readonly kind: 'log'
      readonly id: number
      readonly level: number
      readonly where: string
      readonly text: string
    }
  | { readonly kind: 'timer' | 'clear' | 'more'; readonly id: number; readonly ms: number }

export function parseRecords(answer: string): GuestRecord[] {
  const records: GuestRecord[] = []
  let at = 0
  const section = (length: number) => answer.slice(at, (at += length))
  while (at < answer.length) {
    const line = section(answer.indexOf('\n', at) + 1 - at)
    if (!/^(?:\d+ )+\n$/.test(line)) throw new Error(`not a record: ${JSON.stringify(line)}`)
    const [type, id, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = line.split(' ').map(Number) as [
      number,
      number,
    ]
    if (type === RECORD_INVOCATION) {
      const [edits, head, body] = [section(c), section(d), section(e)]
      records.push({ kind: 'invocation', id, outcome: a, phase: b, edits, head, body, bodyKind: f })
    } else if (type === RECORD_LOG) {
      records.push({ kind: 'log', id, level: a, where: section(b), text: section(c) })
    } else {
      records.push({
        kind: type === RECORD_TIMER ? 'timer' : type === RECORD_TIMER_CLEAR ? 'clear' : 'more',
        id,
        ms: a,
      })
    }
  }
  return records
}

function splitEntries(batch: string): string[] {
  const entries: string[] = []
  for (let at = 0; at < batch.length;) {
    const lineEnd = batch.indexOf('\n', at) + 1
    const [kind, , , ...lengths] = batch.slice(at, lineEnd).trim().split(' ').map(Number)
    const end = lineEnd + (kind === INVOKE ? lengths.reduce((sum, length) => sum + length, 0) : 0)
    entries.push(batch.slice(at, end))
    at = end
  }
  return entries
}

export class GuestIsolate {
  readonly installed: Installed
  readonly progress: Int32Array
  readonly isolate: ivm.Isolate
  readonly #step: ivm.Reference<Guest['step']>
  /** Timers that wait: when they are due, on the clock below. */
  readonly timers = new Map<number, number>()
  nowMs = 0
  /** What isolated-vm threw instead of handing over an answer. */
  readonly rejections: unknown[] = []

  constructor(source: string, code: string, setup: Partial<GuestSetup>) {
    const isolate = new isolatedVm.Isolate({ memoryLimit: 32 })
    this.isolate = isolate
    const context = isolate.createContextSync()
    const guest = isolate
      .compileScriptSync(source, { filename: 'guest.js' })
      .runSync(context, { reference: true })
    const install = guest.getSync('install', { reference: true }) as ivm.Reference<Guest['install']>
    this.#step = guest.getSync('step', { reference: true }) as ivm.Reference<Guest['step']>
    const define = isolate
      .compileScriptSync(`(function (exports, module) {${code}\n})`, {
        filename: `${setup.name ?? 'test'}@${setup.version ?? 1}.js`,
      })
      .runSync(context, { reference: true })
    const shared = new SharedArrayBuffer(12)
    this.progress = new Int32Array(shared)
    const given: GuestSetup = {
      name: 'test',
      version: 1,
      env: {},
      node: { name: 'node1', groups: [] },
      entropy: randomBytes(32).toString('hex'),
      ...setup,
    }
    const answer = install.applySync(undefined, [
      define.derefInto() as never,
      JSON.stringify(given),
      new isolatedVm.ExternalCopy(shared).copyInto() as never,
    ])
    this.installed = JSON.parse(answer) as Installed
  }

  /** The batch's records, as the host gets them: what a used slice left over is sent again, what was lost is asked for. */
  step(batch: string): GuestRecord[] {
    const entries = splitEntries(batch)
    const all: GuestRecord[] = []
    for (let from = 0; ;) {
      const records = this.stepOnce(entries.slice(from).join(''))
      const last = records.at(-1)
      if (last?.kind !== 'more') return [...all, ...records]
      all.push(...records.slice(0, -1))
      from += last.id
    }
  }

  /** One crossing. */
  stepOnce(batch: string): GuestRecord[] {
    let answer: string
    try {
      answer = this.enter(batch)
    } catch (error) {
      if (this.isolate.isDisposed) throw error
      this.rejections.push(error)
      answer = this.enter(`${SAY_AGAIN} \n`)
    }
    const records = parseRecords(answer)
    for (const record of records) {
      if (record.kind === 'timer') this.timers.set(record.id, this.nowMs + record.ms)
      else if (record.kind === 'clear') this.timers.delete(record.id)
    }
    return records
  }

  /** What a step with a deadline throws. */
  stepWithin(batch: string, timeoutMs: number): unknown {
    try {
      return this.#enter(batch, timeoutMs)
    } catch (error) {
      return error
    }
  }

  enter(batch: string): string {
    return this.#enter(batch, STEP_MS)
  }

  #enter(batch: string, timeout: number): string {
    return this.#step.applySync(undefined, [batch], { timeout, result: { copy: true } })[0]
  }

  /** Steps until nothing is pending or nothing moves any more: goes on, and lets timers fire in their order. */
  settle(batch: string): GuestRecord[] {
    const all = this.step(batch)
    all.push(...this.step(`${GO_ON} \n`))
    const isPending = () => {
      const outcomes = new Map<number, number>()
      for (const record of all) if (record.kind === 'invocation') outcomes.set(record.id, record.outcome)
      return [...outcomes.values()].includes(OUTCOME_PENDING)
    }
    while (isPending() && this.timers.size > 0) {
      const [id, due] = [...this.timers].reduce((first, timer) => (timer[1] < first[1] ? timer : first))
      this.timers.delete(id)
      this.nowMs = due
      all.push(...this.step(`${TIMER_FIRED} ${id} \n`), ...this.step(`${GO_ON} \n`))
    }
    return all
  }

  forget(id: number): GuestRecord[] {
    return this.step(`${FORGET} ${id} \n`)
  }

  dispose(): void {
    if (!this.isolate.isDisposed) this.isolate.dispose()
  }
}

/** `code` is the body of a CommonJS function, as in `UnitVersion.code`. */
export async function openGuest(code: string, setup: Partial<GuestSetup> = {}): Promise<GuestIsolate> {
  bundle ??= readFileSync((await makeBundles()).guest, 'utf8')
  return new GuestIsolate(bundle, code, setup)
}

/** A guest with this unit, an expression, until the end of the test. */
export async function openUnit(
  t: TestContext,
  unit: string,
  setup: Partial<GuestSetup> = {},
): Promise<GuestIsolate> {
  const guest = await openGuest(`module.exports.default = ${unit}`, setup)
  t.after(() => guest.dispose())
  return guest
}

/** The last record of an invocation. */
export function invocationOf(records: readonly GuestRecord[]) {
  const found = records.findLast((record) => record.kind === 'invocation')
  if (found?.kind !== 'invocation') throw new Error('no record of an invocation')
  return found
}

/** `id level text` of each line that was logged. */
export const logsOf = (records: readonly GuestRecord[]): string[] =>
  records.flatMap((record) => (record.kind === 'log' ? [`${record.id} ${record.level} ${record.text}`] : []))
