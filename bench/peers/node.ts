/** Nodes for benches: the real command in a folder of its own, which is removed with it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const ORLA = fileURLToPath(new URL('../../bin/orla', import.meta.url))
export const TOKEN = 'bench'

export interface BenchNode {
  readonly edge: string
  readonly control: string
  readonly folder: string
  readonly pid: number
  /** From the start of the process to the line that says it serves. */
  readonly startMs: number
  call(method: string, path: string, body?: unknown): Promise<unknown>
  /** SIGTERM, and waits. The folder stays where `keeps`. */
  stop(keeps?: boolean): Promise<void>
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** `config` is merged over one worker, ports of chance, and no warm checker. */
export async function startBenchNode(
  config: { readonly [key: string]: unknown; readonly edge?: object; readonly control?: object },
  folder = mkdtempSync(join(tmpdir(), 'orla-bench-')),
): Promise<BenchNode> {
  const whole = {
    ...config,
    edge: { listen: '127.0.0.1:0', workers: 1, ...config.edge },
    control: { listen: '127.0.0.1:0', token: TOKEN, warmChecker: false, ...config.control },
  }
  writeFileSync(join(folder, 'orla.config.json'), JSON.stringify(whole))
  const startedAt = performance.now()
  const child = spawn(ORLA, ['start'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  const ended = new Promise<void>((resolve) => child.once('exit', () => (running.delete(child), resolve())))
  const [edge, control] = await new Promise<[string, string]>((resolve, reject) => {
    void ended.then(() => reject(new Error(`the node did not start: ${said}`)))
    createInterface(child.stdout).once('line', (line) => {
      const [, first, second] = /edge=(\S*) control=(\S+)/.exec(line)!
      resolve([first!, second!])
    })
  })
  return {
    edge,
    control,
    folder,
    pid: child.pid!,
    startMs: performance.now() - startedAt,
    async call(method, path, body) {
      const response = await fetch(`${control}${path}`, {
        method,
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      if (!response.ok) throw new Error(`${method} ${path}: ${text}`)
      return JSON.parse(text) as unknown
    },
    async stop(keeps = false) {
      child.kill('SIGTERM')
      await ended
      if (!keeps) rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** `share` 0.5 is the median. */
export const quantile = (values: readonly number[], share: number): number => {
  const ordered = values.toSorted((a, b) => a - b)
  return ordered[Math.min(ordered.length - 1, Math.ceil(ordered.length * share) - 1)] ?? Number.NaN
}

export const round = (value: number): number => Math.round(value * 10) / 10

export const spread = (values: readonly number[]) => ({
  p50: round(quantile(values, 0.5)),
  p99: round(quantile(values, 0.99)),
  max: round(quantile(values, 1)),
})
