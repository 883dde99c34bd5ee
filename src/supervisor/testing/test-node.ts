/**
 * A node for tests of the supervisor: real processes, a real store and the real admin API, with the fake worker and a builder that
 * checks nothing.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestContext } from 'node:test'
import * as v from 'valibot'
import { ConfigSchema, type ConfigInput } from '../../config/schema.ts'
import { Refused } from '../../control/node.ts'
import { startSupervisor, type Supervisor, type SupervisorOptions } from '../supervisor.ts'
import type { UnitBuilder } from '../changes/unit-builder.ts'

export interface TestNode {
  readonly supervisor: Supervisor
  readonly directory: string
  /** What the operator was told. */
  readonly log: string[]
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  deploy(name: string, source?: string, more?: object): Promise<Answer>
  /** What one of the workers runs now. */
  edge(path?: string): Promise<WorkerAnswer>
  /** What each worker runs now, asked until every one has answered. */
  everyWorker(): Promise<WorkerAnswer[]>
}

export interface Answer {
  readonly status: number
  // What comes is checked by assertions on it.
  readonly body: Record<string, unknown>
  readonly headers: Headers
}

export interface WorkerAnswer {
  readonly worker: number
  readonly pid: number
  readonly epoch: number
  readonly units: readonly string[]
  readonly env: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly lastGood: readonly string[]
  readonly quarantined: readonly string[]
  readonly isTailing: boolean
  readonly node: string
  readonly environment: readonly string[]
}

export const FAKE_WORKER = fileURLToPath(new URL('fake-worker.ts', import.meta.url))

export const uncheckedBuilder: UnitBuilder = {
  warm() {},
  pid: undefined,
  async build(_name, { source, files, entry }) {
    if (source.includes('type-error')) {
      throw new Refused('1 problem', [{ message: 'type-error', file: entry, line: 1, column: 7 }])
    }
    return {
      draft: {
        code: source,
        sourceMap: '',
        files: { ...files, [entry]: source },
        entry,
      },
      warnings: [],
      timings: { buildMs: 0, checkMs: 0 },
    }
  },
  close() {},
}

export async function startTestNode(
  context: TestContext,
  { edge, ...more }: ConfigInput = {},
  options: Pick<SupervisorOptions, 'workerEntry' | 'poolTime'> & { readonly directory?: string } = {},
): Promise<TestNode> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'orla-supervisor-'))
  const config = v.parse(ConfigSchema, {
    control: { listen: '127.0.0.1:0', token: 'token' },
    store: { path: directory },
    ...more,
    edge: { listen: '127.0.0.1:0', workers: 2, ...edge },
  })
  const log: string[] = []
  const supervisor = await startSupervisor(config, {
    log: { info: (line) => log.push(line), warn: (line) => log.push(line) },
    workerEntry: options.workerEntry ?? FAKE_WORKER,
    ...(options.poolTime && { poolTime: options.poolTime }),
    builder: uncheckedBuilder,
    bundles: { sandbox: '', guest: '' },
  })
  context.after(async () => {
    await supervisor.stop()
    if (options.directory === undefined) rmSync(directory, { recursive: true })
  })

  const call: TestNode['call'] = async (method, path, body, given = { authorization: 'Bearer token' }) => {
    // A kept connection ends with its idle time, and where this process stands still that is just before it is used.
    const headers = { connection: 'close', ...given }
    const response = await fetch(`http://${supervisor.controlAddress}${path}`, {
      method,
      headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.includes('json')
    return {
      status: response.status,
      headers: response.headers,
      body: isJson ? (JSON.parse(text) as Record<string, unknown>) : { text },
    }
  }
  const edgeAnswer = async (path = '/') => {
    // A connection of its own: kept ones stay with their worker.
    const response = await fetch(`http://${supervisor.addresses[0]}${path}`, {
      headers: { connection: 'close' },
    })
    return (await response.json()) as WorkerAnswer
  }
  return {
    supervisor,
    directory,
    log,
    call,
    deploy: (name, source = 'export default {}', more = {}) =>
      call('PUT', `/v1/units/${name}`, { source, ...more }),
    edge: edgeAnswer,
    async everyWorker() {
      const answers = new Map<number, WorkerAnswer>()
      while (answers.size < config.edge.workers) {
        const answer = await edgeAnswer()
        // Asking without a pause would take the CPU from a worker that is starting.
        if (answers.has(answer.worker)) await new Promise((resolve) => setTimeout(resolve, 10))
        answers.set(answer.worker, answer)
      }
      return [...answers.values()].toSorted((a, b) => a.worker - b.worker)
    },
  }
}

/** Waits for a claim to become true; fails with its last answer after two minutes: processes may take long to start. */
export async function eventually<T>(ask: () => T | Promise<T>, holds: (answer: T) => boolean): Promise<T> {
  const deadline = performance.now() + 120_000
  for (;;) {
    const answer = await ask()
    if (holds(answer)) return answer
    if (performance.now() > deadline) throw new Error(`still ${JSON.stringify(answer)}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
