/**
 * A network of its own for a test: this process leaves for an empty network namespace, and a pair of veth interfaces is the wire between it and
 * another one, from which clients speak.
 *
 *     here: edge0  198.51.100.1, 2001:db8:1::1  ═══  there: client0  198.51.100.2, .3 …, 2001:db8:1::2, ::3 …
 *
 * It asks for root. Whatever is made here goes with the processes that it belongs to, also when they are killed: nothing has a name that
 * would be left behind. A namespace belongs to a thread: sockets and children of the main thread are in it, which is where tests run.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import koffi from 'koffi'
import { cleanEnvironment } from './command.ts'

const CLONE_NEWNET = 0x40000000
const SEND_FRAMES = fileURLToPath(new URL('send-frames.ts', import.meta.url))

/** Why there can be no network for a test here; undefined where there can: `test(name, { skip: NO_NETWORK ?? false }, …)`. */
export const NO_NETWORK: string | undefined = reasonAgainst()

export interface Wire {
  /** Of the interface on this side. */
  readonly name: string
  /** Of the other end. */
  readonly peer: string
  /** Sends frames from the other end, as they are. */
  send(frames: readonly Buffer[]): Promise<void>
  /** Runs a command at the other end. */
  there(command: string, ...args: readonly string[]): Promise<Ran>
  /** What runs a command there, in front of it. */
  readonly prefix: readonly [string, ...string[]]
}

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface WireOptions {
  readonly name?: string
  /** Addresses with their prefixes, on this side and at the other end. */
  readonly here?: readonly string[]
  readonly there?: readonly string[]
}

const HERE = ['198.51.100.1/24', '2001:db8:1::1/64']
const THERE = [
  '198.51.100.2/24',
  '198.51.100.3/24',
  '2001:db8:1::2/64',
  '2001:db8:1::3/64',
  '2001:db8:1::4/64',
]

let isAway = false

/** A wire that goes with the test. The first one takes this process out of the network of the machine, for good. */
export async function startWire(t: TestContext, options: WireOptions = {}): Promise<Wire> {
  leaveNetwork()
  const { name = 'edge0', here = HERE, there = THERE } = options
  const peer = `to-${name}`
  // It ends with this process: its standard input does.
  const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo there; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(holder, 'exit')
  t.after(async () => {
    holder.kill('SIGKILL')
    await ended
    // The other end is gone with its namespace a moment later, and this one with it.
    spawnSync('ip', ['link', 'del', name], { stdio: 'ignore' })
  })
  await once(holder.stdout, 'data')
  const prefix = ['nsenter', `--net=/proc/${holder.pid}/ns/net`] as const
  const wire: Wire = {
    name,
    peer,
    prefix: [...prefix],
    there: (command, ...args) => run(prefix[0], [prefix[1], command, ...args]),
    async send(frames) {
      const sent = await run(
        prefix[0],
        [prefix[1], process.execPath, SEND_FRAMES, peer],
        frames.map((frame) => `${frame.toString('hex')}\n`).join(''),
      )
      if (sent.code !== 0) throw new Error(`frames were not sent: ${sent.stderr}`)
    },
  }
  ip('link', 'add', name, 'type', 'veth', 'peer', 'name', peer, 'netns', String(holder.pid))
  for (const address of here) ip('address', 'add', address, 'dev', name, ...optimistic(address))
  ip('link', 'set', name, 'up')
  for (const address of there)
    await succeed(wire.there('ip', 'address', 'add', address, 'dev', peer, ...optimistic(address)))
  await succeed(wire.there('ip', 'link', 'set', 'lo', 'up'))
  await succeed(wire.there('ip', 'link', 'set', peer, 'up'))
  return wire
}

/** Leaves the network of the machine for an empty one, with a loopback interface. */
export function leaveNetwork(): void {
  if (isAway) return
  const unshare = koffi.load(null).func('int unshare(int flags)')
  if (unshare(CLONE_NEWNET) !== 0) throw new Error('this process cannot have a network of its own')
  isAway = true
  ip('link', 'set', 'lo', 'up')
}

/** No waiting for whether somebody else has the address: nobody else is here. */
const optimistic = (address: string): readonly string[] => (address.includes(':') ? ['nodad'] : [])

/** Runs `ip` here. */
export function ip(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
  return stdout
}

async function succeed(running: Promise<Ran>): Promise<void> {
  const { code, stderr } = await running
  if (code !== 0) throw new Error(stderr)
}

function run(command: string, args: readonly string[], input = ''): Promise<Ran> {
  const child = spawn(command, args, { env: cleanEnvironment(), stdio: ['pipe', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  // Who ends without reading it closes the pipe.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

function reasonAgainst(): string | undefined {
  if (process.getuid?.() !== 0) return 'it makes network namespaces, which asks for root'
  for (const [command, ...args] of [
    ['ip', '-V'],
    ['nsenter', '-V'],
  ] as const)
    if (spawnSync(command, args).error) return `${command} is not installed`
  const made = spawnSync('unshare', ['--net', 'readlink', '/proc/self/ns/net'], { encoding: 'utf8' })
  const isOther = made.status === 0 && made.stdout.trim() !== readlinkSync('/proc/self/ns/net')
  return isOther ? undefined : 'this machine gives no network namespaces, even to root'
}
