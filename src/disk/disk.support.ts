/** A keeper and workers' tiers in one process, over real sockets and files, for the tests beside this file. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createAdmission } from '../cache/index.ts'
import type { DiskTierPlan, NewDiskObject, StoredFile } from '../contract/disk-tier.ts'
import { DiskKeeper } from './keeper.ts'
import { KeeperLink } from './keeper-link.ts'
import { WorkerTier } from './worker-tier.ts'

export const MIB = 1024 * 1024

export class DiskRig {
  readonly folder: string
  readonly lines: string[] = []
  plan: DiskTierPlan
  keeper: DiskKeeper
  readonly #socket: string
  readonly #closers: (() => void)[] = []

  constructor(t: Pick<TestContext, 'after'>, more: Partial<DiskTierPlan> = {}, root?: string) {
    const base = root ?? mkdtempSync(join(tmpdir(), 'orla-disk-'))
    this.folder = join(base, 'tier')
    this.#socket = join(mkdtempSync(join(tmpdir(), 'orla-sock-')), 's')
    this.plan = {
      name: 'shared',
      folder: this.folder,
      isOwnFolder: true,
      bytesMax: 64 * MIB,
      objectBytesMax: 32 * MIB,
      policy: 'sieve',
      admission: 'all',
      ...more,
    }
    this.keeper = this.start()
    t.after(() => {
      this.stop()
      if (root === undefined) rmSync(base, { recursive: true, force: true })
      rmSync(join(this.#socket, '..'), { recursive: true, force: true })
    })
  }

  stop(): void {
    for (const close of this.#closers.splice(0)) close()
    this.keeper.close()
  }

  start(purgeNumber = 0): DiskKeeper {
    this.keeper = new DiskKeeper({
      socket: this.#socket,
      plans: [this.plan],
      purgeNumber,
      onLine: (line) => this.lines.push(line),
    })
    return this.keeper
  }

  /** A worker's tier, once it may be used. */
  async worker(): Promise<WorkerTier> {
    const [tier] = await this.workerOf([this.plan])
    return tier!
  }

  /** The tiers of one worker, once all of them may be used. */
  async workerOf(plans: readonly DiskTierPlan[]): Promise<readonly WorkerTier[]> {
    const link = new KeeperLink(this.#socket)
    const onLine = (line: string) => void this.lines.push(line)
    const tiers = plans.map((plan) => new WorkerTier(plan, link, onLine, createAdmission))
    this.#closers.push(() => {
      for (const tier of tiers) tier.close()
      link.close()
    })
    await until(() => tiers.every(({ isOpen }) => isOpen))
    return tiers
  }
}

export async function until(isSo: () => boolean, ms = 10_000): Promise<void> {
  const deadline = performance.now() + ms
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error('waited in vain')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** A body at hand. */
export const atHand = (bytes: Buffer) => ({
  length: bytes.length,
  read: (start: number, end: number) => bytes.subarray(start, end),
  hold() {},
  release() {},
})

/** Stores, and waits for what became of it. */
export function put(
  tier: WorkerTier,
  key: string,
  body: Buffer,
  more: Partial<NewDiskObject> = {},
): Promise<StoredFile | 'inline' | undefined> {
  return new Promise((resolve) => {
    tier.put(
      {
        key,
        meta: Buffer.from(`meta of ${key}`),
        body: { kind: 'bytes', from: atHand(body) },
        tags: [],
        purgeNumber: 0,
        begunMs: Date.now(),
        ...more,
      },
      resolve,
    )
  })
}

/** The whole body that is found under the key; undefined: none. */
export function bodyOf(tier: WorkerTier, key: string): Buffer | undefined {
  const body = tier.find(key)?.open()
  if (body === undefined || Buffer.isBuffer(body)) return body
  const bytes = body.read(0, body.length)
  body.close()
  return bytes
}
