/** Indexes that are damaged, gone or somebody else's, and disks that are full: the tier rests or begins anew, says so once, and goes on. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, test, type TestContext } from 'node:test'
import { bodyOf, DiskRig, MIB, put, until } from './disk.support.ts'
import { bodyPath, indexPath } from './layout.ts'

const folderOf = (t: TestContext): string => {
  const root = mkdtempSync(join(tmpdir(), 'orla-damage-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  return root
}

const told = (rig: DiskRig, what: RegExp): number => rig.lines.filter((line) => what.test(line)).length

describe('an index before the start', () => {
  const damages: Record<string, (path: string) => void> = {
    garbage: (path) => writeFileSync(path, Buffer.alloc(50_000, 'garbage ')),
    empty: (path) => writeFileSync(path, ''),
    'half of it': (path) => writeFileSync(path, readFileSync(path).subarray(0, statSync(path).size / 2)),
    gone: (path) => rmSync(path),
    'of another program': (path) => {
      rmSync(path)
      execFileSync(process.execPath, [
        '-e',
        `new (require('node:sqlite').DatabaseSync)(${JSON.stringify(path)}).exec('CREATE TABLE x (y)')`,
      ])
    },
  }
  for (const [damage, apply] of Object.entries(damages)) {
    it(`that is ${damage} gives no wrong body, and is used again`, async (t) => {
      const root = folderOf(t)
      const first = new DiskRig(t, {}, root)
      const before = await first.worker()
      for (let n = 0; n < 200; n++) await put(before, `http://a/${n}`, Buffer.alloc(1000, n))
      first.stop()
      apply(indexPath(first.folder))
      const rig = new DiskRig(t, {}, root)
      const tier = await rig.worker()
      for (let n = 0; n < 200; n++) {
        const body = bodyOf(tier, `http://a/${n}`)
        assert.ok(body === undefined || body.equals(Buffer.alloc(1000, n)))
      }
      await put(tier, 'new', Buffer.from('1'))
      await until(() => bodyOf(tier, 'new')?.toString() === '1')
    })
  }

  it('with bits flipped gives no wrong body', async (t) => {
    const root = folderOf(t)
    const first = new DiskRig(t, {}, root)
    const before = await first.worker()
    for (let n = 0; n < 300; n++) await put(before, `http://a/${n}`, Buffer.alloc(3000, n))
    first.stop()
    const path = indexPath(first.folder)
    const { size } = statSync(path)
    const descriptor = openSync(path, 'r+')
    // Behind the header: one bit in each tenth page.
    for (let at = 4096 * 3 + 2500; at < size; at += 40_960)
      writeSync(descriptor, Buffer.from([0x5a]), 0, 1, at)
    closeSync(descriptor)
    const rig = new DiskRig(t, {}, root)
    const tier = await rig.worker()
    let found = 0
    for (let n = 0; n < 300; n++) {
      const body = bodyOf(tier, `http://a/${n}`)
      if (body !== undefined) assert.ok(body.equals(Buffer.alloc(3000, n)))
      if (body !== undefined) found += 1
      if (n % 10 === 0) await new Promise(setImmediate)
    }
    assert.ok(found < 300, 'what was flipped is not found')
    await until(() => tier.isOpen)
    await put(tier, 'new', Buffer.from('1'))
    await until(() => bodyOf(tier, 'new')?.toString() === '1')
  })
})

test('an index that is deleted while it is used begins anew, with one line', async (t) => {
  const rig = new DiskRig(t)
  const tier = await rig.worker()
  await put(tier, 'a', Buffer.from('1'))
  rmSync(indexPath(rig.folder))
  await until(() => told(rig, /begins empty/) === 1)
  await until(() => tier.isOpen && tier.find('a') === undefined)
  await put(tier, 'a', Buffer.from('2'))
  assert.equal(bodyOf(tier, 'a')?.toString(), '2')
  assert.equal(rig.lines.length, 1)
})

test('of two nodes on one folder the second rests, says whose it is, and takes it over', async (t) => {
  const root = folderOf(t)
  const one = new DiskRig(t, {}, root)
  const tier = await one.worker()
  await put(tier, 'a', Buffer.from('1'))
  const two = new DiskRig(t, {}, root)
  await until(() => told(two, /rests: another node uses it/) === 1)
  assert.equal(two.keeper.states[0]!.isOpen, false)
  one.stop()
  const other = await two.worker()
  assert.equal(bodyOf(other, 'a')?.toString(), '1')
  assert.equal(told(two, /is used again/), 1)
})

test('a purge while the tier rests is carried out before anybody looks again', async (t) => {
  const root = folderOf(t)
  const one = new DiskRig(t, {}, root)
  const tier = await one.worker()
  await put(tier, 'a', Buffer.from('1'), { tags: ['red'] })
  await put(tier, 'b', Buffer.from('1'))
  const two = new DiskRig(t, {}, root)
  two.keeper.purge([{ kind: 'tag', value: 'red', soft: false, number: 1 }], undefined)
  one.stop()
  const other = await two.worker()
  assert.equal(other.find('a'), undefined)
})

test('a tier that owes a purge and cannot even say so in its folder is known by its state, until it is used again', async (t) => {
  const root = folderOf(t)
  const one = new DiskRig(t, {}, root)
  const tier = await one.worker()
  await put(tier, 'a', Buffer.from('1'))
  const two = new DiskRig(t, {}, root)
  const mark = join(one.folder, 'in-order')
  const isOwing = () => two.keeper.states[0]!.isOwing
  rmSync(mark)
  mkdirSync(join(mark, 'not to be removed'), { recursive: true })
  assert.equal(isOwing(), false)
  two.keeper.purge([{ kind: 'all', value: '', soft: false, number: 1 }], undefined)
  assert.equal(isOwing(), true)
  rmSync(mark, { recursive: true })
  assert.equal(isOwing(), false)
  one.stop()
  assert.equal((await two.worker()).find('a'), undefined)
})

const isRoot = process.getuid?.() === 0

test(
  'on a full disk the tier rests with one line, and is used again once there is room',
  { skip: !isRoot && 'only root may mount a disk' },
  async (t) => {
    const disk = mkdtempSync(join(tmpdir(), 'orla-full-'))
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'none', disk], { stdio: 'ignore' })
    } catch {
      t.skip('no file system can be mounted here')
      return
    }
    t.after(() => {
      execFileSync('umount', ['-l', disk])
      rmSync(disk, { recursive: true })
    })
    const rig = new DiskRig(t, { bytesMax: 64 * MIB }, disk)
    const tier = await rig.worker()
    let stored = 0
    for (let n = 0; n < 40 && told(rig, /rests/) === 0; n++) {
      const body = Buffer.alloc(MIB, n)
      if ((await put(tier, `http://a/${n}`, body)) !== undefined) stored += 1
    }
    await until(() => told(rig, /rests: .*(ENOSPC|full)/) === 1)
    assert.ok(stored > 5, `${stored}`)
    await until(() => tier.find('http://a/0') === undefined)
    rmSync(join(rig.folder, 'bodies'), { recursive: true })
    mkdirSync(join(rig.folder, 'bodies'))
    await until(() => told(rig, /is used again/) === 1, 20_000)
    await until(() => tier.isOpen)
    assert.notEqual(await put(tier, 'new', Buffer.alloc(MIB)), undefined)
    assert.equal(bodyOf(tier, 'http://a/1'), undefined)
    assert.equal(rig.lines.length, 2)
  },
)

test('a body that is given up on a disk that does not let it go is no error', async (t) => {
  const rig = new DiskRig(t)
  const tier = await rig.worker()
  const write = tier.openBody(0)!
  const path = bodyPath(rig.folder, write.id)
  rmSync(path)
  mkdirSync(path)
  write.discard()
  write.close()
  assert.notEqual(await put(tier, 'a', Buffer.alloc(100_000)), undefined)
})

test(
  'where no file can be opened any more, what is stored is a miss, and is found again once there is room',
  { skip: process.platform !== 'linux' && 'only there the bound can be set for a process that runs' },
  async (t) => {
    const rig = new DiskRig(t)
    const tier = await rig.worker()
    await put(tier, 'a', Buffer.alloc(100_000, 1))
    const found = tier.find('a')!
    const hard = /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))![1]!
    const boundTo = (most: string) =>
      execFileSync('prlimit', ['--pid', `${process.pid}`, `--nofile=${most}:${hard}`])
    boundTo('256')
    const taken: number[] = []
    try {
      assert.throws(
        () => {
          for (;;) taken.push(openSync('/dev/null', 'r'))
        },
        { code: 'EMFILE' },
      )
      assert.equal(found.open(), undefined)
    } finally {
      for (const descriptor of taken) closeSync(descriptor)
      boundTo(hard)
    }
    assert.equal(tier.counters.errors, 1)
    await put(tier, 'b', Buffer.from('1'))
    assert.equal(bodyOf(tier, 'a')?.length, 100_000)
  },
)

test('a folder that cannot be made is a line, and no more', async (t) => {
  const root = folderOf(t)
  writeFileSync(join(root, 'tier'), 'a file')
  const rig = new DiskRig(t, {}, root)
  await until(() => rig.lines.length === 1)
  assert.match(rig.lines[0]!, /rests/)
  rig.keeper.purge([{ kind: 'all', value: '', soft: false, number: 1 }], undefined)
  rmSync(join(root, 'tier'))
  const tier = await rig.worker()
  await put(tier, 'a', Buffer.from('1'), { purgeNumber: 1 })
  assert.equal(bodyOf(tier, 'a')?.toString(), '1')
})

test(
  'a folder that may not be read is a line, and no more',
  { skip: isRoot && 'root may read everything' },
  async (t) => {
    const root = folderOf(t)
    mkdirSync(join(root, 'tier'))
    chmodSync(join(root, 'tier'), 0)
    const rig = new DiskRig(t, {}, root)
    await until(() => rig.lines.length === 1)
    chmodSync(join(root, 'tier'), 0o700)
  },
)

for (const bytesMax of [256 * 1024, 300 * 1024]) {
  test(`a tier of ${bytesMax} bytes, about the smallest that may be configured, does no harm`, async (t) => {
    const rig = new DiskRig(t, { bytesMax })
    const tier = await rig.worker()
    for (let n = 0; n < 50; n++) await put(tier, `http://a/${n}`, Buffer.alloc(20_000))
    assert.ok(rig.keeper.states[0]!.bytes < bytesMax)
  })
}
