/**
 * A tier with a million objects that was killed: how long until it is used again, and in how much memory.
 *
 *     node bench/disk-restart.ts [objects, 1000000] [bytes of a body, 500]
 *
 * One process fills the tier through the engine and is killed in the middle of a write. Another one opens it, as a node does at its start,
 * and looks for objects; its time goes from the start of the process, so Node itself (some 50 ms) is in it. Goals: found after ≤ 2 s, the
 * index complete after ≤ 30 s, memory bounded whatever their number.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createAdmission } from '../src/cache/index.ts'
import { DiskKeeper } from '../src/disk/keeper.ts'
import { KeeperLink } from '../src/disk/keeper-link.ts'
import { WorkerTier } from '../src/disk/worker-tier.ts'

const AT_ONCE = 2000
const LOOKS = 10_000

const keyOf = (n: number): string => `https://www.example.com/articles/${n % 1000}/${n}?page=${n % 7}`

const [given, ...rest] = process.argv.slice(2)
if (given === 'fill') await fill(rest[0]!, Number(rest[1]), Number(rest[2]))
else if (given === 'open') await open(rest[0]!, Number(rest[1]))
else await main(Number(given ?? 1_000_000), Number(rest[0] ?? 500))

async function main(objects: number, bytes: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'orla-restart-'))
  try {
    const startMs = performance.now()
    const filled = run('fill', folder, objects, bytes)
    const said = await filled.until(/full/)
    console.log(`${said} in ${((performance.now() - startMs) / 1000).toFixed(1)} s; kill -9`)
    filled.child.kill('SIGKILL')
    await filled.ended
    const opened = run('open', folder, objects)
    await opened.until(/done/)
    console.log(opened.said())
    await opened.ended
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function run(what: string, ...args: readonly (string | number)[]) {
  const child = spawn(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    fileURLToPath(import.meta.url),
    what,
    ...args.map(String),
  ])
  let text = ''
  const listeners = new Set<() => void>()
  const hear = (chunk: Buffer): void => {
    text += String(chunk)
    for (const listener of listeners) listener()
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const until = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (pattern.test(text)) resolve(text.trim())
      }
      listeners.add(look)
      look()
      void ended.then(() => reject(new Error(text)))
    })
  return { child, ended, until, said: () => text.trim() }
}

async function start(folder: string) {
  const plan = {
    name: 'shared',
    folder: join(folder, 'tier'),
    isOwnFolder: true,
    bytesMax: 64 * 2 ** 30,
    objectBytesMax: 2 ** 30,
    policy: 'sieve',
    admission: 'all',
  } as const
  const socket = join(folder, 'socket')
  const keeper = new DiskKeeper({ socket, plans: [plan], purgeNumber: 0, onLine: console.log })
  const tier = new WorkerTier(plan, new KeeperLink(socket), console.log, createAdmission)
  while (!tier.isOpen) await new Promise((resolve) => setTimeout(resolve, 1))
  return { keeper, tier }
}

async function fill(folder: string, objects: number, bytes: number): Promise<void> {
  const { keeper, tier } = await start(folder)
  const body = Buffer.alloc(bytes, 'body ')
  const meta = Buffer.alloc(600, 'meta ')
  const from = { length: bytes, read: () => body, hold() {}, release() {} }
  const put = (n: number): Promise<unknown> =>
    new Promise((resolve) =>
      tier.put(
        { key: keyOf(n), meta, body: { kind: 'bytes', from }, tags: [], purgeNumber: 0, begunMs: Date.now() },
        resolve,
      ),
    )
  for (let at = 0; at < objects; at += AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, objects - at) }, (_, n) => put(at + n)))
  const [state] = keeper.states
  console.log(`${state!.entries} objects, ${(state!.bytes / 2 ** 20).toFixed(0)} MiB: full`)
  for (let n = objects; ; n++) await put(n)
}

async function open(folder: string, objects: number): Promise<void> {
  const { keeper, tier } = await start(folder)
  const foundMs = performance.now()
  let found = 0
  const startCpu = process.cpuUsage()
  for (let n = 0; n < LOOKS; n++)
    if (tier.find(keyOf(Math.floor((n * objects) / LOOKS))) !== undefined) found += 1
  const cpu = process.cpuUsage(startCpu)
  const resident = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]) / 1024
  console.log(
    `used again after ${foundMs.toFixed(0)} ms with ${keeper.states[0]!.entries} objects in its index`,
  )
  console.log(
    `${found} of ${LOOKS} found, ${((cpu.user + cpu.system) / LOOKS).toFixed(1)} µs CPU each; ${resident.toFixed(0)} MiB resident at most`,
  )
  console.log('done')
  process.exit(0)
}
