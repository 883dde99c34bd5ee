/** What a worker finds on disk, and what it does not: sizes, replacement, removal, purges, damage. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, it, test } from 'node:test'
import { BrokenFile } from '../base/send-file.ts'
import { bodyOf, DiskRig, MIB, put, until } from './disk.support.ts'
import { bodyPath } from './layout.ts'
import type { StoredFile } from '../contract/disk-tier.ts'

const digest = (bytes: Buffer | undefined) => bytes && createHash('sha1').update(bytes).digest('hex')

/** Bytes of all files in a folder, as the disk has them. */
function usage(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).reduce((sum, entry) => {
    const stats = statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })
    return sum + (stats === undefined ? 0 : stats.blocks * 512)
  }, 0)
}

describe('a tier on disk', () => {
  it('gives back bodies of all sizes, with their meta, also after a restart', async (t) => {
    const rig = new DiskRig(t)
    const first = await rig.worker()
    const sizes = [
      0,
      1,
      16 * 1024,
      16 * 1024 + 1,
      256 * 1024,
      256 * 1024 + 1,
      2 * MIB,
      2 * MIB + 1,
      5 * MIB + 17,
    ]
    const digests = new Map<string, string>()
    for (const size of sizes) {
      const body = randomBytes(size)
      const key = `http://a/${size}`
      assert.notEqual(await put(first, key, body), undefined, key)
      digests.set(key, digest(body)!)
    }
    for (const [key, wanted] of digests) {
      assert.equal(digest(bodyOf(first, key)), wanted, key)
      assert.equal(first.find(key)!.meta.toString(), `meta of ${key}`)
    }
    rig.keeper.close()
    await until(() => !first.isOpen)
    assert.equal(first.find('http://a/0'), undefined)
    rig.start()
    const second = await rig.worker()
    for (const [key, wanted] of digests) assert.equal(digest(bodyOf(second, key)), wanted, key)
    await until(() => first.isOpen)
    for (const [key, wanted] of digests) assert.equal(digest(bodyOf(first, key)), wanted, key)
  })

  it('takes a key of 64 KiB and one of every character', async (t) => {
    const tier = await new DiskRig(t).worker()
    const keys = ['k'.repeat(64 * 1024), `${'k'.repeat(64 * 1024)}2`, 'http://é/ÿ?"\'\u0001 x\ny']
    for (const [at, key] of keys.entries()) await put(tier, key, Buffer.from(`body ${at}`))
    for (const [at, key] of keys.entries()) assert.equal(bodyOf(tier, key)?.toString(), `body ${at}`)
  })

  it('replaces, and removes the file of what was replaced', async (t) => {
    const rig = new DiskRig(t)
    const tier = await rig.worker()
    const before = (await put(tier, 'a', Buffer.alloc(100_000, 1))) as StoredFile
    const after = (await put(tier, 'a', Buffer.alloc(100_000, 2))) as StoredFile
    assert.equal(bodyOf(tier, 'a')![0], 2)
    await until(() => !existsSync(bodyPath(rig.folder, before.id)))
    assert.ok(existsSync(bodyPath(rig.folder, after.id)))
    assert.equal(rig.keeper.states[0]!.entries, 1)
  })

  it('stores another meta with a body that is there already, and not with one that is gone', async (t) => {
    const rig = new DiskRig(t)
    const tier = await rig.worker()
    const file = (await put(tier, 'a', Buffer.alloc(100_000, 1))) as StoredFile
    const renewed = { meta: Buffer.from('newer'), body: { kind: 'stored', file } } as const
    assert.equal(await put(tier, 'a', Buffer.alloc(0), renewed), file)
    assert.equal(tier.find('a')!.meta.toString(), 'newer')
    assert.equal(bodyOf(tier, 'a')!.length, 100_000)
    tier.remove('a')
    assert.equal(await put(tier, 'a', Buffer.alloc(0), renewed), undefined)
    await until(() => !existsSync(bodyPath(rig.folder, file.id)))
  })

  it('reads a body while it is written, and after', async (t) => {
    const tier = await new DiskRig(t).worker()
    const body = randomBytes(3 * MIB + 5)
    const write = tier.openBody(0)!
    for (let at = 0; at < body.length; at += 70_000) {
      assert.ok(write.append(body.subarray(at, at + 70_000)))
      const end = Math.min(at + 70_000, body.length)
      assert.ok(
        write.read(Math.max(0, at - 300_000), end).equals(body.subarray(Math.max(0, at - 300_000), end)),
      )
    }
    const stored = await put(tier, 'a', body, { body: { kind: 'written', write } })
    assert.notEqual(stored, undefined)
    assert.ok(write.read(0, body.length).equals(body))
    write.close()
    assert.equal(digest(bodyOf(tier, 'a')), digest(body))
  })

  it('leaves nothing of a body that was given up', async (t) => {
    const rig = new DiskRig(t)
    const tier = await rig.worker()
    const write = tier.openBody(0)!
    write.append(Buffer.alloc(600_000))
    write.discard()
    write.close()
    const bodies = join(rig.folder, 'bodies')
    await until(() => {
      const files = readdirSync(bodies, { recursive: true, withFileTypes: true })
      return files.filter((entry) => entry.isFile()).length === 0
    })
  })

  it('stores nothing that is larger than an object may be', async (t) => {
    const tier = await new DiskRig(t, { objectBytesMax: MIB }).worker()
    assert.equal(await put(tier, 'a', Buffer.alloc(MIB + 1)), undefined)
    assert.equal(tier.openBody(MIB + 1), undefined)
    assert.notEqual(await put(tier, 'a', Buffer.alloc(MIB)), undefined)
  })

  it('admits by second sight what is asked for again', async (t) => {
    const tier = await new DiskRig(t, { admission: 'second-sight' }).worker()
    assert.equal(tier.admits('a'), false)
    assert.equal(tier.admits('b'), false)
    assert.equal(tier.admits('a'), true)
  })

  it('remembers no more keys than memory is there for, however large it is', async (t) => {
    const bytesMax = 2 ** 50
    const before = process.memoryUsage().arrayBuffers
    const tier = await new DiskRig(t, { admission: 'second-sight', bytesMax }).worker()
    assert.ok(process.memoryUsage().arrayBuffers - before < 200 * MIB)
    assert.deepEqual([tier.admits('a'), tier.admits('a')], [false, true])
  })
})

for (const policy of ['sieve', 'fifo', 'lru'] as const) {
  test(`under ${policy}, what is on the disk stays within its bytes, small and large objects alike`, async (t) => {
    const bytesMax = 8 * MIB
    const rig = new DiskRig(t, { policy, bytesMax })
    const tier = await rig.worker()
    const hot = 'http://a/hot'
    await put(tier, hot, Buffer.alloc(3000, 7))
    let worst = 0
    for (let round = 0; round < 60; round++) {
      const sizes = Array.from({ length: 20 }, (_, at) => (at % 4 === 0 ? 150_000 : 2000))
      await Promise.all(sizes.map((size, at) => put(tier, `http://a/${round}/${at}`, Buffer.alloc(size, at))))
      assert.ok(tier.find(hot) !== undefined || policy === 'fifo', `round ${round}`)
      tier.flushUsed()
      await until(() => usage(rig.folder) <= bytesMax)
      worst = Math.max(worst, usage(rig.folder))
    }
    t.diagnostic(`worst ${worst}`)
    assert.equal(tier.find(hot) === undefined, policy === 'fifo')
    assert.ok(rig.keeper.states[0]!.evicted > 100)
    assert.ok(rig.keeper.states[0]!.entries > 10)
    assert.equal(bodyOf(tier, 'http://a/59/4')?.length, 150_000)
  })
}

describe('what has to go', () => {
  it('is not found from the moment on it is removed, with all that belongs to it', async (t) => {
    const rig = new DiskRig(t)
    const [one, other] = [await rig.worker(), await rig.worker()]
    const keys = ['s http://a/x', 's http://a/x\nslice 1', 's http://a/x page@2', 's http://a/x\n~de']
    for (const key of [...keys, 's http://a/xy']) await put(one, key, Buffer.from('1'))
    one.remove('s http://a/x')
    for (const key of keys) assert.equal(one.find(key), undefined)
    await until(() => keys.every((key) => other.find(key) === undefined))
    assert.equal(bodyOf(other, 's http://a/xy')?.toString(), '1')
  })

  it('is not stored where it began to be fetched before it was removed', async (t) => {
    const rig = new DiskRig(t)
    const [one, other] = [await rig.worker(), await rig.worker()]
    const begunMs = Date.now()
    one.remove('a')
    await until(() => one.find('a') === undefined)
    await put(one, 'b', Buffer.from('1'))
    assert.equal(await put(other, 'a\nslice 3', Buffer.from('old'), { begunMs }), undefined)
    await until(() => Date.now() > begunMs + 5)
    assert.equal(await put(other, 'a\nslice 3', Buffer.from('new')), 'inline')
  })

  it('goes by key, by start, by tag and all at once, and nothing older comes in after', async (t) => {
    const rig = new DiskRig(t)
    const tier = await rig.worker()
    const store = async (purgeNumber = 0) => {
      await put(tier, 'http://a/1', Buffer.from('1'), { tags: ['red', 'blue'], purgeNumber })
      await put(tier, 'http://a/1\nslice 2', Buffer.alloc(40_000), { tags: ['red'], purgeNumber })
      await put(tier, 'http://a/2', Buffer.from('2'), { tags: ['blue'], purgeNumber })
      await put(tier, 'http://b/1', Buffer.from('3'), { purgeNumber })
    }
    const found = () =>
      ['http://a/1', 'http://a/1\nslice 2', 'http://a/2', 'http://b/1']
        .map((key) => Number(tier.find(key) !== undefined))
        .join('')
    await store()
    assert.equal(
      rig.keeper.purge([{ kind: 'key', value: 'http://a/1', soft: false, number: 1 }], undefined),
      2,
    )
    assert.equal(found(), '0011')
    await store()
    assert.equal(found(), '0011', 'what began before the purge')
    await store(1)
    assert.equal(
      rig.keeper.purge([{ kind: 'prefix', value: 'http://a/', soft: false, number: 2 }], 'shared'),
      3,
    )
    assert.equal(found(), '0001')
    await store(2)
    assert.equal(rig.keeper.purge([{ kind: 'tag', value: 'red', soft: false, number: 3 }], undefined), 2)
    assert.equal(found(), '0011')
    await store(3)
    assert.equal(rig.keeper.purge([{ kind: 'all', value: '', soft: false, number: 4 }], undefined), 4)
    assert.equal(found(), '0000')
    await until(() => rig.keeper.states[0]!.entries === 0)
  })

  it('softly is stale, also what was on its way', async (t) => {
    const rig = new DiskRig(t)
    const tier = await rig.worker()
    await put(tier, 'a', Buffer.from('1'), { tags: ['red'] })
    await put(tier, 'b', Buffer.from('1'))
    assert.equal(rig.keeper.purge([{ kind: 'tag', value: 'red', soft: true, number: 1 }], undefined), 1)
    assert.deepEqual([tier.find('a')!.isSoft, tier.find('b')!.isSoft], [true, false])
    await put(tier, 'c', Buffer.from('1'), { tags: ['red'] })
    assert.equal(tier.find('c')!.isSoft, true)
    await put(tier, 'a', Buffer.from('2'), { tags: ['red'], purgeNumber: 1 })
    assert.equal(tier.find('a')!.isSoft, false)
  })

  it('by tag is 10,000 objects in a moment', async (t) => {
    const rig = new DiskRig(t)
    const tier = await rig.worker()
    for (let at = 0; at < 20; at++) {
      await Promise.all(
        Array.from({ length: 1000 }, (_, n) =>
          put(tier, `http://a/${at}/${n}`, Buffer.alloc(200), {
            tags: n % 2 === 0 ? ['red', `n${n % 10}`] : ['blue'],
          }),
        ),
      )
    }
    const startMs = performance.now()
    assert.equal(rig.keeper.purge([{ kind: 'tag', value: 'red', soft: false, number: 1 }], undefined), 10_000)
    const ms = performance.now() - startMs
    t.diagnostic(`${ms} ms`)
    assert.ok(ms < 2000, `${ms} ms`)
    assert.equal(tier.find('http://a/3/2'), undefined)
    assert.notEqual(tier.find('http://a/3/3'), undefined)
    await until(() => rig.keeper.states[0]!.entries === 10_000)
  })
})

describe('a file that is not what it was', () => {
  const flip = (path: string, at: number) => {
    const descriptor = openSync(path, 'r+')
    writeSync(descriptor, Buffer.from([99]), 0, 1, at)
    closeSync(descriptor)
  }
  const damages: Record<string, (path: string) => void> = {
    deleted: (path) => rmSync(path),
    truncated: (path) => truncateSync(path, 10),
    longer: (path) => writeFileSync(path, Buffer.alloc(10), { flag: 'a' }),
    flipped: (path) => flip(path, 5),
    unreadable: (path) => {
      rmSync(path)
      writeFileSync(path, Buffer.alloc(0))
    },
    // Opened as files are, it would wait for who writes into it.
    'a pipe': (path) => {
      rmSync(path)
      execFileSync('mkfifo', [path])
    },
    'a link': (path) => {
      renameSync(path, `${path}-moved`)
      symlinkSync(`${path}-moved`, path)
    },
  }
  for (const [damage, apply] of Object.entries(damages)) {
    for (const size of [100_000, 5 * MIB]) {
      it(`is a miss where it was ${damage} (${size} bytes), before and after it was read`, async (t) => {
        const rig = new DiskRig(t)
        const tier = await rig.worker()
        for (const isRead of [false, true]) {
          const file = (await put(tier, 'a', Buffer.alloc(size, 1))) as StoredFile
          if (isRead) assert.equal(bodyOf(tier, 'a')!.length, size)
          apply(bodyPath(rig.folder, file.id))
          assert.equal(bodyOf(tier, 'a'), undefined)
          await until(() => rig.keeper.states[0]!.entries === 0)
        }
      })
    }
  }

  it('breaks off in the middle where a later block was flipped', async (t) => {
    const rig = new DiskRig(t)
    const tier = await rig.worker()
    const file = (await put(tier, 'a', Buffer.alloc(5 * MIB, 1))) as StoredFile
    flip(bodyPath(rig.folder, file.id), 3 * MIB)
    const body = tier.find('a')!.open()
    assert.ok(body !== undefined && !Buffer.isBuffer(body))
    assert.ok(body.read(0, MIB).equals(Buffer.alloc(MIB, 1)))
    assert.throws(() => body.read(2 * MIB, 4 * MIB), BrokenFile)
    const isWhole = await new Promise((resolve) => body.check!(3 * MIB, resolve))
    assert.equal(isWhole, false)
    body.close()
    await until(() => tier.find('a') === undefined)
  })

  it('is looked at anew where it changes while it is sent', async (t) => {
    const rig = new DiskRig(t)
    const tier = await rig.worker()
    const file = (await put(tier, 'a', Buffer.alloc(5 * MIB, 1))) as StoredFile
    const body = tier.find('a')!.open()
    assert.ok(body !== undefined && !Buffer.isBuffer(body))
    body.read(0, 5 * MIB)
    assert.equal(body.checkedEnd!(0), 5 * MIB)
    await until(() => Date.now() % 20 === 0)
    flip(bodyPath(rig.folder, file.id), 4 * MIB)
    assert.equal(body.checkedEnd!(MIB), MIB)
    assert.equal(await new Promise((resolve) => body.check!(MIB, resolve)), true)
    assert.equal(await new Promise((resolve) => body.check!(4 * MIB, resolve)), false)
    body.close()
  })
})

test('what workers had under way goes with them', async (t) => {
  const rig = new DiskRig(t)
  const tier = await rig.worker()
  const write = tier.openBody(MIB)!
  write.append(Buffer.alloc(MIB))
  const path = bodyPath(rig.folder, write.id)
  await put(tier, 'a', Buffer.from('1'))
  assert.ok(existsSync(path))
  rig.keeper.close()
  rig.start()
  await until(() => tier.isOpen)
  assert.equal(bodyOf(tier, 'a')?.toString(), '1')
})
