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
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import type { ConfigInput } from '../../src/config/schema.ts'
import type { ChangeResult } from '../../src/control/shapes.ts'
import { type CommandResult, type Ending, inTime, orla, type RunningCommand, startOrla } from './command.ts'
import { type Answer, type Ask, ask } from './http-client.ts'
import { type NodeProcesses, processesBelow } from './processes.ts'

export interface NodeOptions {
  /** Merged over: one worker, ports 0, the token `test`, no warm checker, data in the node's folder. */
  readonly config?: ConfigInput
  /** Units to deploy before the test goes on: sources by name. */
  readonly units?: Readonly<Record<string, string>>
  /** Files to write beside the configuration, by relative path. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  /** An existing folder, to start on the data of a node before it. It is not removed. */
  readonly folder?: string
  readonly env?: Readonly<Record<string, string>>
  readonly readyWithinMs?: number
  /** In a process group of its own, for `interrupt`. */
  readonly ownGroup?: boolean
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
  /** To the whole process group. Asks for `ownGroup`. */
  interrupt(signal: NodeJS.Signals): void
  /** Resolves when the process has ended. */
  readonly ended: Promise<Ending>
  /** SIGTERM, and waits. */
  stop(): Promise<Ending>
}

const TOKEN = 'test'

/** In the body of a change: on a starved machine a first deploy takes more than the half minute that a change has. */
export const WITH_TIME = { timeoutMs: 240_000 } as const

/** A site of its own for `NAME.example.org`. */
export const siteNamed = (name: string, origin: string, more: object = {}) => ({
  hosts: [`${name}.example.org`],
  origin,
  ...more,
})

/** `edge.limits` where no connection is to end over time: a machine may stand still for seconds, and for some of them one after another. */
export const PATIENT = { idle: '10m', head: '10m', body: '10m', handshake: '10m' } as const

/** `edge` of a node that speaks HTTP/1.1 and HTTP/2 at one address, and whose units may fetch from this machine. */
export const H2C_EDGE = {
  limits: PATIENT,
  listen: { address: '127.0.0.1:0', h2c: true },
  fetch: { sites: ['127.0.0.1'] },
}

export async function startNode(t: TestContext, options: NodeOptions = {}): Promise<TestNode> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'orla-node-')))
  await writeFiles(folder, {
    ...options.files,
    'orla.config.json': JSON.stringify(configFor(options.config ?? {})),
  })
  const command = await startOrla(t, ['start'], {
    cwd: folder,
    ...(options.env && { env: options.env }),
    ownGroup: options.ownGroup ?? false,
    ...(options.readyWithinMs !== undefined && { timeoutMs: options.readyWithinMs }),
  }).finally(() => {
    // After the hook that ends the node: hooks run in the order in which they were added.
    if (options.folder === undefined)
      t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  })
  const node = nodeFrom(command, folder)
  for (const [name, source] of Object.entries(options.units ?? {})) await node.deploy(name, source)
  return node
}

function nodeFrom(command: RunningCommand, folder: string): TestNode {
  const { pid, control, edges, ended, stderr, kill, interrupt } = command
  const url = edges[0]!
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
    url,
    urls: edges,
    control,
    token: TOKEN,
    folder,
    pid,
    stderr,
    ended,
    kill,
    interrupt,
    api,
    request: (path, options) => ask(url + path, options),
    async deploy(name, source, body = {}) {
      const answer = await api('PUT', `/v1/units/${name}`, { source, ...WITH_TIME, ...body })
      if (answer.status !== 200) throw new Error(`${name} was refused (${answer.status}): ${answer.text}`)
      return JSON.parse(answer.text) as ChangeResult
    },
    orla: (...argv) => orla(inTime(argv), { cwd: folder, env: { ORLA_CONTROL: control, ORLA_TOKEN: TOKEN } }),
    processes: () => processesBelow(pid),
    stop() {
      kill('SIGTERM')
      return ended
    },
  }
}

function configFor(given: ConfigInput): ConfigInput {
  return {
    ...given,
    edge: { listen: '127.0.0.1:0', workers: 1, ...given.edge },
    // Most tests deploy nothing, and a warm checker costs as much CPU as the rest of a start.
    control: { listen: '127.0.0.1:0', token: TOKEN, warmChecker: false, ...given.control },
    store: { path: './data', ...given.store },
    node: { name: 'test', ...given.node },
  }
}

async function writeFiles(
  folder: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
  }
}
