/**
 * Real members of etcd in a test, on ports of their own and in folders of their own.
 *
 *     const etcd = await startEtcd(t, { members: 3 })
 *     const leader = await etcd.leader()
 *     await leader.kill()
 *
 * They end with the test, or with the file where they are given `{ after }` of `node:test`, also when it fails.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { EtcdStoreConfig } from '../../src/config/store-schema.ts'
import { eventually } from './eventually.ts'
import { freePort } from './ports.ts'

const run = promisify(execFile)

/** A test's context, or the file: `{ after }`. */
export interface Owner {
  after(work: () => unknown): void
}

/** Why tests of etcd do not run here; false where they do. */
export const etcdIsMissing: string | false =
  spawnSync('etcd', ['--version']).status === 0 && spawnSync('etcdctl', ['version']).status === 0
    ? false
    : 'etcd and etcdctl are not installed'

export interface EtcdOptions {
  readonly members?: number
  /** For every member: `['--quota-backend-bytes', '4000000']`. */
  readonly args?: readonly string[]
  /** What clients meet: `https` with these files. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string }
}

/** What a control plane would be configured with. `timeout` is in milliseconds here. */
export const etcdConfig = (
  urls: readonly string[],
  more: Partial<EtcdStoreConfig> = {},
): EtcdStoreConfig => ({
  kind: 'etcd',
  url: [...urls],
  prefix: 'orla',
  timeout: 5000,
  path: '',
  log: { keep: 10_000, keepForEdges: 100_000 },
  ...more,
})

/** Processes that are to end with this one, whatever ends it. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

const FLAGS = [
  // A leader that is gone is noticed soon, but not because a busy machine is slow.
  ['--heartbeat-interval', '100'],
  ['--election-timeout', '800'],
  ['--log-level', 'error'],
  ['--logger', 'zap'],
].flat()

/** How often it is begun anew, where another program took a port meanwhile. */
const STARTS_MAX = 5

export interface Etcd {
  readonly members: readonly EtcdMember[]
  /** Client URLs of all members. */
  readonly urls: readonly string[]
  /** The member that all others who run take for their leader. Waits for it. */
  leader(): Promise<EtcdMember>
  /** What `etcdctl` prints, asked of all members that run. */
  ctl(...args: string[]): Promise<string>
  stop(): Promise<void>
}

export async function startEtcd(t: Owner, options: EtcdOptions = {}): Promise<Etcd> {
  const etcd = await eventuallyStarted(options)
  t.after(() => etcd.stop())
  return etcd
}

async function eventuallyStarted(options: EtcdOptions): Promise<Etcd> {
  for (let attempt = 1; ; attempt += 1) {
    const etcd = await cluster(options)
    try {
      await Promise.all(etcd.members.map((member) => member.start()))
      return etcd
    } catch (error) {
      await etcd.stop()
      if (attempt === STARTS_MAX) throw error
    }
  }
}

async function cluster({ members: count = 1, args = [], tls }: EtcdOptions): Promise<Etcd> {
  const members: EtcdMember[] = []
  for (let index = 0; index < count; index += 1) {
    members.push(new EtcdMember(`m${index}`, await freePort(), await freePort(), tls))
  }
  const initial = members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',')
  for (const member of members) member.args = ['--initial-cluster', initial, ...FLAGS, ...args]
  const alive = () => members.filter(({ isRunning }) => isRunning)
  return {
    members,
    urls: members.map(({ url }) => url),
    leader: () =>
      eventually(
        async () => {
          const states = await Promise.all(alive().map(async (one) => ({ one, is: await one.status() })))
          const leaders = new Set(states.map(({ is }) => is.leader))
          if (leaders.size !== 1) return undefined
          return states.find(({ is }) => is.leader !== undefined && is.leader === is.id)?.one
        },
        { what: 'a leader of etcd', everyMs: 30 },
      ),
    ctl: (...command) => ctl(alive(), command),
    async stop() {
      await Promise.all(members.map((member) => member.kill()))
      for (const { directory } of members) rmSync(directory, { recursive: true, force: true })
    },
  }
}

export class EtcdMember {
  readonly directory = mkdtempSync(join(tmpdir(), 'orla-etcd-'))
  readonly name: string
  readonly port: number
  readonly url: string
  readonly peerUrl: string
  args: readonly string[] = []
  readonly #tls: EtcdOptions['tls']
  #child: ChildProcess | undefined
  #isStopped = false

  constructor(name: string, port: number, peerPort: number, tls: EtcdOptions['tls']) {
    this.name = name
    this.port = port
    this.url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`
    this.peerUrl = `http://127.0.0.1:${peerPort}`
    this.#tls = tls
  }

  /** Neither killed nor stopped. */
  get isRunning(): boolean {
    return this.#child !== undefined && !this.#isStopped
  }

  /**
   * On the data that it has. Resolves when it takes requests; where it is not to be asked, as it wants a password, when its port is open.
   * Rejects with what it wrote where it ends instead.
   */
  async start(isAsked = true): Promise<void> {
    const tls = this.#tls
    const child = spawn(
      'etcd',
      [
        ['--name', this.name],
        ['--data-dir', join(this.directory, 'data')],
        ['--listen-client-urls', this.url],
        ['--advertise-client-urls', this.url],
        ['--listen-peer-urls', this.peerUrl],
        ['--initial-advertise-peer-urls', this.peerUrl],
        tls === undefined ? [] : ['--cert-file', tls.cert, '--key-file', tls.key],
        tls?.clientCa === undefined ? [] : ['--client-cert-auth', '--trusted-ca-file', tls.clientCa],
        this.args,
      ].flat(),
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    running.add(child)
    this.#child = child
    let output = ''
    child.stderr.on('data', (data: Buffer) => (output = (output + data.toString()).slice(-4000)))
    const exited = once(child, 'exit').then(() => {
      running.delete(child)
      if (this.#child === child) this.#child = undefined
    })
    const over = Promise.withResolvers<never>()
    void exited.then(() => over.reject(new Error(`etcd did not start:\n${output}`)))
    over.promise.catch(() => {})
    await Promise.race([over.promise, isAsked ? ctl([this], ['endpoint', 'health'], 60_000) : this.#isOpen()])
  }

  #isOpen(): Promise<unknown> {
    return eventually(async () => {
      const socket = connect(this.port, '127.0.0.1')
      await once(socket, 'connect').finally(() => socket.destroy())
      return true
    })
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
    this.#isStopped = false
  }

  /** It stands still, with its connections open, until `go`. */
  stop(): void {
    this.#isStopped = this.#child?.kill('SIGSTOP') ?? false
  }

  go(): void {
    this.#child?.kill('SIGCONT')
    this.#isStopped = false
  }

  /** Ids as texts; none of a leader where it knows of none. */
  async status(): Promise<{ readonly id: string; readonly leader: string | undefined }> {
    const text = await ctl([this], ['endpoint', 'status', '--write-out', 'json'])
    // Numbers of 64 bits: `JSON.parse` would round them.
    const [, id] = /"member_id":(\d+)/.exec(text) ?? []
    const [, leader] = /"leader":(\d+)/.exec(text) ?? []
    return { id: id!, leader }
  }

  /** What `etcdctl` prints, asked of this member. */
  ctl(...args: string[]): Promise<string> {
    return ctl([this], args)
  }

  get ctlFlags(): readonly string[] {
    const tls = this.#tls
    if (tls === undefined) return []
    return [
      '--cacert',
      tls.cert,
      ...(tls.clientCa === undefined ? [] : ['--cert', tls.cert, '--key', tls.key]),
    ]
  }
}

async function ctl(
  members: readonly EtcdMember[],
  args: readonly string[],
  timeoutMs = 20_000,
): Promise<string> {
  const flags = [
    ['--endpoints', members.map(({ url }) => url).join(',')],
    ['--command-timeout', `${timeoutMs}ms`],
    members[0]?.ctlFlags ?? [],
  ].flat()
  const { stdout } = await run('etcdctl', [...flags, ...args], {
    env: { ...process.env, ETCDCTL_API: '3' },
    maxBuffer: 64 * 2 ** 20,
  })
  return stdout.trimEnd()
}
