/**
 * Real servers of Redis in a test: one, one with replicas, or a Cluster, on ports of their own and in folders of their own.
 *
 *     const server = await startRedis(t)
 *     await server.cli('SET', 'name', 'eli')
 *     await server.kill()
 *
 * They end with the test, also when it fails; or with the file or suite that shares them: see `sharedBy`.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { eventually } from './eventually.ts'
import { freePort } from './ports.ts'

const run = promisify(execFile)

/** A test's context, or what `sharedBy` gives. */
export interface Owner {
  after(work: () => unknown): void
}

/** What several tests share: `sharedBy(after)` at the top of a file or suite, and started in its `before`. */
export function sharedBy(after: (work: () => Promise<void>) => void): Owner {
  const works: (() => unknown)[] = []
  after(async () => {
    await Promise.all(works.map((work) => work()))
  })
  return { after: (work) => void works.push(work) }
}

/** Why tests of Redis do not run here; false where they do. */
export const redisIsMissing: string | false =
  spawnSync('redis-server', ['--version']).status === 0 ? false : 'redis-server is not installed'

export interface RedisOptions {
  /** `['--maxmemory', '20mb']`. */
  readonly args?: readonly string[]
  /** What it acknowledges is on its disk. */
  readonly appendOnly?: boolean
}

/** Processes that are to end with this one, whatever ends it. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1))

export class RedisServer {
  readonly directory = mkdtempSync(join(tmpdir(), 'orla-redis-'))
  port = 0
  readonly #args: readonly string[]
  #child: ChildProcess | undefined

  constructor({ args = [], appendOnly = false }: RedisOptions) {
    // By default Redis puts off also the write to the file, not only its sync, where the disk is busy.
    this.#args = [...args, '--appendonly', appendOnly ? 'yes' : 'no', '--appendfsync', 'always']
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  get url(): string {
    return `redis://${this.address}`
  }

  get isRunning(): boolean {
    return this.#child !== undefined
  }

  /** Another program may take the port before the server does: then it is another port. */
  async start(): Promise<void> {
    const isFirst = this.port === 0
    for (let attempt = 1; ; attempt++) {
      if (isFirst) this.port = await freePort()
      const output = await this.#spawn()
      if (output === 'ready') return
      if (attempt === 5) throw new Error(`redis-server did not start:\n${output}`)
    }
  }

  async #spawn(): Promise<string> {
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.directory, '--save', '']
    // A master would wait for more replicas before it sends its data to the first.
    args.push('--repl-diskless-sync-delay', '0', '--enable-debug-command', 'yes', ...this.#args)
    const child = spawn('redis-server', args, {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    running.add(child)
    child.once('exit', () => running.delete(child))
    let output = ''
    const { promise, resolve } = Promise.withResolvers<string>()
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString()
      if (output.includes('Ready to accept connections')) resolve('ready')
    })
    child.once('exit', () => resolve(output))
    const outcome = await promise
    if (outcome === 'ready') {
      this.#child = child
      child.once('exit', () => {
        if (this.#child === child) this.#child = undefined
      })
    }
    return outcome
  }

  /** What `redis-cli` prints, without the last line end. */
  async cli(...args: string[]): Promise<string> {
    const { stdout } = await run('redis-cli', ['-h', '127.0.0.1', '-p', String(this.port), ...args], {
      maxBuffer: 64 * 2 ** 20,
    })
    return stdout.trimEnd()
  }

  /** A field of `INFO`. */
  async info(name: string): Promise<string | undefined> {
    const line = (await this.cli('INFO')).split(/\r?\n/).find((one) => one.startsWith(`${name}:`))
    return line?.slice(name.length + 1)
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'): void {
    this.#child?.kill(signal)
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  async end(): Promise<void> {
    await this.kill()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

export async function startRedis(owner: Owner, options: RedisOptions = {}): Promise<RedisServer> {
  const server = new RedisServer(options)
  owner.after(() => server.end())
  await server.start()
  return server
}

/** A replica that has taken all of its master's data. */
export async function startReplica(owner: Owner, master: RedisServer): Promise<RedisServer> {
  const replica = await startRedis(owner, { args: ['--replicaof', `127.0.0.1 ${master.port}`] })
  await eventually(async () => (await replica.info('master_link_status')) === 'up')
  return replica
}

export interface RedisCluster {
  readonly members: readonly RedisServer[]
  readonly urls: string[]
  /** The member that answers for the key now. Waits until there is one, and its replicas have its data. */
  masterOf(key: string): Promise<RedisServer>
  replicaOf(master: RedisServer): Promise<RedisServer>
  /** Waits until all members agree that all is well, and every replica follows its master. */
  settled(): Promise<void>
}

/** Three masters with a replica each. Those that died are missed after `nodeTimeoutMs`. */
export async function startRedisCluster(
  owner: Owner,
  { nodeTimeoutMs = 2000, appendOnly = false }: { nodeTimeoutMs?: number; appendOnly?: boolean } = {},
): Promise<RedisCluster> {
  const members = await Promise.all(
    [0, 1, 2, 3, 4, 5].map(async () => {
      // The usual port of the bus, 10,000 above, may be in use.
      const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', String(nodeTimeoutMs)]
      args.push('--cluster-port', String(await freePort()))
      return startRedis(owner, { args, appendOnly })
    }),
  )
  const masters = members.slice(0, 3)
  const ids = await Promise.all(members.map((member) => member.cli('CLUSTER', 'MYID')))
  const ranges = [
    ['0', '5460'],
    ['5461', '10922'],
    ['10923', '16383'],
  ]
  await Promise.all(
    members.map(async (member, n) => {
      await member.cli('CLUSTER', 'SET-CONFIG-EPOCH', String(n + 1))
      if (n < 3) await member.cli('CLUSTER', 'ADDSLOTSRANGE', ...ranges[n]!)
      const others = members.slice(0, n)
      for (const other of others) {
        const bus = (await other.cli('CONFIG', 'GET', 'cluster-port')).split('\n')[1]!
        await member.cli('CLUSTER', 'MEET', '127.0.0.1', String(other.port), bus)
      }
    }),
  )
  const cluster = new Members(members)
  await cluster.everyone((text) => ids.every((id) => text.includes(id)) && !text.includes('handshake'))
  await Promise.all(
    masters.map((_, n) => members[n + 3]!.cli('CLUSTER', 'REPLICATE', ids[n]!).then(assertOk)),
  )
  await cluster.settled()
  return cluster
}

class Members implements RedisCluster {
  readonly members: readonly RedisServer[]

  constructor(members: readonly RedisServer[]) {
    this.members = members
  }

  get urls(): string[] {
    return this.members.map(({ url }) => url)
  }

  async masterOf(key: string): Promise<RedisServer> {
    return eventually(async () => {
      for (const member of this.members.filter(({ isRunning }) => isRunning)) {
        const [found, role] = await Promise.all([member.cli('EXISTS', key), member.info('role')])
        if (/^\d+$/.test(found) && role === 'master') return member
      }
      return undefined
    })
  }

  async replicaOf(master: RedisServer): Promise<RedisServer> {
    return eventually(async () => {
      const first = await master.info('slave0')
      return this.members.find(({ port }) => first?.includes(`port=${port},state=online`))
    })
  }

  async settled(): Promise<void> {
    await this.everyone((nodes) => !/fail|handshake|disconnected/.test(nodes))
    await eventually(async () => {
      const texts = await Promise.all(this.members.map((member) => member.cli('CLUSTER', 'INFO')))
      return texts.every((text) => text.includes('cluster_state:ok'))
    })
    await eventually(async () => {
      const infos = await Promise.all(this.members.map((member) => member.cli('INFO', 'replication')))
      return infos.every((text) => /role:master[^]*state=online|master_link_status:up/.test(text))
    })
  }

  /** Waits until what every member says of all holds. */
  async everyone(holds: (nodes: string) => boolean): Promise<void> {
    await eventually(
      async () =>
        (await Promise.all(this.members.map((member) => member.cli('CLUSTER', 'NODES')))).every(holds),
      { everyMs: 50 },
    )
  }
}

function assertOk(text: string): void {
  if (text !== 'OK') throw new Error(`redis-cli answered ${text}`)
}
