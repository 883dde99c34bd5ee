/**
 * A whole node in a test: the real command with its processes, on ports of its own and a fresh data directory.
 *
 *     const origin = await startOrigin(t)
 *     const node = await startNode(t, { config: { sites: [{ origin: origin.url }] } })
 *     await node.deploy('hello', 'export default { content: () => new Response("hi") }')
 *     assert.equal((await node.request('/')).text, 'hi')
 *
 * It ends with the test. What it wrote to standard error is shown when it could not start, and is there to be asked for.
 */
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { TestContext } from 'node:test'
import type { ConfigInput } from '../../src/config/schema.ts'
import type { ChangeResult } from '../../src/control/shapes.ts'
import { cleanEnvironment, type CommandResult, ORLA, orla } from './command.ts'
import { type Answer, type Ask, ask } from './http-client.ts'
import { type NodeProcesses, processesBelow } from './processes.ts'

export interface NodeOptions {
  /** Merged over: one worker, ports 0, the token `test`, data in the node's folder. */
  readonly config?: ConfigInput
  /** Units to deploy before the test goes on: sources by name. */
  readonly units?: Readonly<Record<string, string>>
  /** Files to write beside the configuration, by relative path. */
  readonly files?: Readonly<Record<string, string>>
  /** An existing folder, to start on the data of a node before it. It is not removed. */
  readonly folder?: string
  readonly env?: Readonly<Record<string, string>>
  readonly readyWithinMs?: number
}

export interface TestNode {
  /** The first of `urls`: `http://127.0.0.1:PORT`. */
  readonly url: string
  readonly urls: readonly string[]
  readonly control: string
  readonly token: string
  /** Holds the configuration and `data/`. */
  readonly folder: string
  readonly pid: number
  /** Everything on standard error so far. */
  stderr(): string
  /** A request to the edge. */
  request(path: string, options?: Ask): Promise<Answer>
  /** A request to the control plane, with the token; `body` goes as JSON. */
  api(method: string, path: string, body?: unknown): Promise<Answer>
  /** Deploys a source, and throws with the diagnostics where it is refused. */
  deploy(name: string, source: string, body?: Readonly<Record<string, unknown>>): Promise<ChangeResult>
  /** The command, with `--control` and `--token` of this node in its environment. */
  orla(...argv: string[]): Promise<CommandResult>
  processes(): NodeProcesses
  kill(signal: NodeJS.Signals): void
  /** Resolves when the process has ended. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  /** SIGTERM, and waits. */
  stop(): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
}

const TOKEN = 'test'

export async function startNode(t: TestContext, options: NodeOptions = {}): Promise<TestNode> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'orla-node-')))
  await writeFiles(folder, {
    ...options.files,
    'orla.config.json': JSON.stringify(configFor(options.config ?? {})),
  })
  const child = spawn(ORLA, ['start'], {
    cwd: folder,
    env: { ...cleanEnvironment(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = new Promise<Awaited<TestNode['ended']>>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal }))
  })
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
    if (options.folder === undefined) await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  })
  const line = await readyLine(child, ended, options.readyWithinMs ?? 60_000).catch((error: Error) => {
    throw new Error(`${error.message}:\n${stderr}`)
  })
  const node = nodeFrom(
    line,
    folder,
    child.pid!,
    (signal) => child.kill(signal),
    ended,
    () => stderr,
  )
  for (const [name, source] of Object.entries(options.units ?? {})) await node.deploy(name, source)
  return node
}

/** The one line that a node prints on standard output when it serves. */
function readyLine(
  child: { readonly stdout: Readable },
  ended: TestNode['ended'],
  withinMs: number,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready within ${withinMs} ms`)), withinMs)
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      const line = /^ready .*(?=\n)/m.exec(stdout)?.[0]
      if (line === undefined) return
      clearTimeout(timer)
      resolve(line)
    })
    void ended.then(({ code, signal }) => {
      clearTimeout(timer)
      reject(new Error(`it ended with ${code ?? signal} before it was ready`))
    })
  })
}

function nodeFrom(
  line: string,
  folder: string,
  pid: number,
  kill: (signal: NodeJS.Signals) => void,
  ended: TestNode['ended'],
  stderr: () => string,
): TestNode {
  const [, edge, control] = /^ready edge=(\S+) control=(\S+)$/.exec(line) ?? []
  if (edge === undefined || control === undefined) throw new Error(`not a ready line: ${line}`)
  const urls = edge.split(',')
  const api: TestNode['api'] = (method, path, body) =>
    ask(new URL(path, control), {
      method,
      headers: {
        authorization: `Bearer ${TOKEN}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  return {
    url: urls[0]!,
    urls,
    control,
    token: TOKEN,
    folder,
    pid,
    stderr,
    ended,
    kill,
    api,
    request: (path, ofRequest) => ask(urls[0]! + path, ofRequest),
    async deploy(name, source, body = {}) {
      const answer = await api('PUT', `/v1/units/${name}`, { source, ...body })
      if (answer.status !== 200) throw new Error(`${name} was refused (${answer.status}): ${answer.text}`)
      return JSON.parse(answer.text) as ChangeResult
    },
    orla: (...argv) => orla(argv, { cwd: folder, env: { ORLA_CONTROL: control, ORLA_TOKEN: TOKEN } }),
    processes: () => processesBelow(pid),
    async stop() {
      kill('SIGTERM')
      return ended
    },
  }
}

function configFor(given: ConfigInput): ConfigInput {
  return {
    ...given,
    edge: { listen: '127.0.0.1:0', workers: 1, ...given.edge },
    control: { listen: '127.0.0.1:0', token: TOKEN, ...given.control },
    store: { path: './data', ...given.store },
    node: { name: 'test', ...given.node },
  }
}

async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name)
    await mkdir(join(path, '..'), { recursive: true })
    await writeFile(path, text)
  }
}
