/** What can happen to the store's file and its process: nothing that was acknowledged is lost, and the error says what to do. */
import assert from 'node:assert/strict'
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../base/clock.ts'
import { EdgeError } from '../base/errors.ts'
import type { ErrorCode } from '../base/error-codes.ts'
import { openStore } from './sqlite-store.ts'

const root = fs.mkdtempSync(join(tmpdir(), 'orla-faults-'))
after(() => fs.rmSync(root, { recursive: true, force: true }))
const directory = () => fs.mkdtempSync(join(root, 'd-'))
const open = (path: string) => openStore(path, { clock: systemClock })
const set = (key: string, value = 'x') => [{ operation: 'SET' as const, key, value }]

function refuses(work: () => unknown, code: ErrorCode, ...words: string[]): void {
  assert.throws(work, (error: unknown) => {
    assert.ok(error instanceof EdgeError, String(error))
    assert.equal(error.code, code, error.message)
    for (const word of words) assert.ok(error.message.includes(word), error.message)
    return true
  })
}

/** A store with entries, closed. */
function filled(entries = 60): string {
  const path = directory()
  const store = open(path)
  for (let n = 0; n < entries; n++) store.append(set(`k${n}`, 'x'.repeat(3000)))
  store.close()
  return path
}

const WRITER = fileURLToPath(new URL('testing/writer.ts', import.meta.url))
async function writer(
  path: string,
  mode = 'write',
  options: { uid?: number } = {},
): Promise<{ child: ChildProcess; lines: string[] }> {
  const child = spawn(process.execPath, [WRITER, path, mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...options,
  })
  const lines: string[] = []
  createInterface(child.stdout!).on('line', (line) => lines.push(line))
  while (lines.length === 0) await once(child.stdout!, 'data')
  return { child, lines }
}

async function kill(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close')
  child.kill('SIGKILL')
  await closed
}

test('after kill -9 in the middle of appends, every acknowledged entry is there and the chain holds', async () => {
  const path = directory()
  for (const acknowledgedMin of [1, 40, 150]) {
    const { child, lines } = await writer(path)
    while (lines.length <= acknowledgedMin) await once(child.stdout!, 'data')
    await kill(child)
    // The last line may be cut.
    const acknowledged = lines
      .filter((line) => /^\d+ [0-9a-f]{64}$/.test(line))
      .map((line) => line.split(' '))
    const store = open(path)
    const { id: last } = store.position()
    // Of a batch all or nothing; at most one batch was written and not yet told.
    assert.equal(last % 2, 0)
    assert.ok(last - Number(acknowledged.at(-1)![0]) <= 2)
    for (const [id, hash] of acknowledged) assert.equal(store.read(Number(id) - 1, 1)[0]?.hash, hash)
    assert.deepEqual(store.verify(), { ok: true, entries: last })
    store.close()
  }
})

test('a directory in use is refused with the process and its command line', async () => {
  const path = directory()
  const { child } = await writer(path, 'hold')
  refuses(() => open(path), 'data-in-use', path, `process ${child.pid} (`, 'testing/writer.ts')
  await kill(child)
  open(path).close()
})

test('a directory in use by this very process is refused as well', () => {
  const path = directory()
  const store = open(path)
  refuses(() => open(path), 'data-in-use', `process ${process.pid} (`)
  assert.equal(store.append(set('a')).id, 1)
  store.close()
  open(path).close()
})

test('a stale pid file of a dead process stands in nobody’s way', async () => {
  const path = directory()
  const { child } = await writer(path, 'hold')
  await kill(child)
  assert.match(fs.readFileSync(join(path, 'orla.pid'), 'utf8'), new RegExp(`^${child.pid}\n`))
  const store = open(path)
  assert.match(fs.readFileSync(join(path, 'orla.pid'), 'utf8'), new RegExp(`^${process.pid}\n`))
  store.close()
  assert.ok(!fs.existsSync(join(path, 'orla.pid')))
})

test('a file removed under the program is told at the next append, and what was read stays readable', () => {
  for (const victim of ['orla.db', 'orla.db-wal']) {
    const path = directory()
    const store = open(path)
    store.append(set('a', '1'))
    fs.rmSync(join(path, victim))
    refuses(() => store.append(set('b')), 'store-missing', join(path, victim), 'was removed')
    assert.equal(store.get('a'), '1')
    assert.equal(store.position().id, 1)
    store.close()
  }
})

test('a file that another one took the place of is told', () => {
  const path = directory()
  const store = open(path)
  store.append(set('a', '1'))
  fs.renameSync(join(path, 'orla.db'), join(path, 'old.db'))
  fs.copyFileSync(join(path, 'old.db'), join(path, 'orla.db'))
  refuses(() => store.append(set('b')), 'store-missing', 'replaced by another file')
  store.close()
})

test('a file cut under the program is told at the next append', () => {
  const path = filled()
  const store = open(path)
  fs.truncateSync(join(path, 'orla.db'), 8192)
  refuses(() => store.append(set('b')), 'store-corrupt', 'was cut from', '8192 bytes')
  store.close()
})

test('a file cut at any length is refused at the start, never taken for an empty store', () => {
  const whole = filled()
  const bytes = fs.readFileSync(join(whole, 'orla.db'))
  for (const length of [0, 1, 50, 100, 1000, 4096, 8192, 40_000, bytes.length - 4096, bytes.length - 1]) {
    const path = directory()
    fs.writeFileSync(join(path, 'orla.db'), bytes.subarray(0, length))
    refuses(() => open(path), 'store-corrupt', join(path, 'orla.db'))
    // What is left can still be looked at and mended.
    assert.equal(fs.statSync(join(path, 'orla.db')).size, length, 'the damaged file is left as it is')
  }
})

test('a file of something else is refused and left as it is', () => {
  const path = directory()
  const garbage = Buffer.from('not a database at all\n'.repeat(500))
  fs.writeFileSync(join(path, 'orla.db'), garbage)
  refuses(() => open(path), 'store-corrupt', join(path, 'orla.db'))
  assert.deepEqual(fs.readFileSync(join(path, 'orla.db')), garbage)

  const other = directory()
  const db = new DatabaseSync(join(other, 'orla.db'))
  db.exec('CREATE TABLE t (a)')
  db.close()
  refuses(() => open(other), 'store-corrupt', 'not a store of orla')
})

test('a byte that changed in an entry is found at the start, and by a full check where it is far back', () => {
  const change = (path: string, sql: string) => {
    const db = new DatabaseSync(join(path, 'orla.db'))
    db.exec(sql)
    db.close()
  }
  const late = filled()
  change(late, `UPDATE log SET value = 'y' WHERE id = 55`)
  refuses(() => open(late), 'store-corrupt', 'entry 55: does not have the hash of its content')

  const gap = filled()
  change(gap, 'DELETE FROM log WHERE id = 50')
  refuses(() => open(gap), 'store-corrupt', 'entry 50: is missing')

  const early = filled(300)
  change(early, `UPDATE log SET value = 'y' WHERE id = 5`)
  const store = open(early)
  assert.deepEqual(store.verify(), { ok: false, id: 5, problem: 'does not have the hash of its content' })
  store.close()

  const state = filled()
  change(state, `UPDATE state SET value = 'y' WHERE key = 'k7'`)
  const other = open(state)
  assert.deepEqual(other.verify(), { ok: false, id: 60, problem: 'the state of k7 is not what the log says' })
  other.close()
})

test('a directory written by a newer version is refused with both formats', () => {
  const path = filled()
  const db = new DatabaseSync(join(path, 'orla.db'))
  db.exec('PRAGMA user_version = 7')
  db.close()
  refuses(() => open(path), 'store-newer', 'has format 7; this program knows up to 2')
})

test('a write-ahead log whose file is gone is not swallowed by a new store', async () => {
  const path = directory()
  const { child, lines } = await writer(path)
  while (lines.length < 5) await once(child.stdout!, 'data')
  await kill(child)
  fs.renameSync(join(path, 'orla.db'), join(path, 'away.db'))
  refuses(() => open(path), 'store-missing', 'orla.db is gone, but')
  fs.renameSync(join(path, 'away.db'), join(path, 'orla.db'))
  const store = open(path)
  assert.ok(store.verify().ok)
  store.close()
})

test('a half-made store of a start that was killed is made anew', () => {
  const path = directory()
  fs.writeFileSync(join(path, 'orla.db.new'), 'half')
  const store = open(path)
  assert.equal(store.position().id, 0)
  store.close()
})

test('a path that is a file, or lies under one, is refused', () => {
  const path = join(directory(), 'file')
  fs.writeFileSync(path, '')
  refuses(() => open(path), 'store-read-only', path)
  refuses(() => open(join(path, 'data')), 'store-read-only', path)
  // Where nothing can be made at all.
  refuses(() => open('/proc/orla/data'), 'store-read-only', '/proc/orla')
})

test('a change refused for its content leaves nothing behind', () => {
  const path = directory()
  const store = open(path)
  store.append(set('a', '1'))
  const broken = [
    ...set('b', '2'),
    { operation: 'SET', key: 'c', value: { toWellFormed: () => null } as unknown as string } as const,
  ]
  assert.throws(() => store.append(broken))
  assert.equal(store.get('b'), undefined)
  assert.equal(store.append(set('d')).id, 2)
  assert.ok(store.verify().ok)
  store.close()
})

/** A file system of that many kilobytes, or why there is none. */
function smallDisk(kilobytes: number): { path: string; unmount: () => void } | { reason: string } {
  const path = directory()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', path], { stdio: 'pipe' })
    return { path, unmount: () => execFileSync('umount', ['-l', path]) }
  } catch {
    return { reason: 'a small file system can be mounted by root alone' }
  }
}

test('on a full disk an append is refused, nothing is lost, and it works again once there is space', (t) => {
  const disk = smallDisk(1024)
  if ('reason' in disk) return t.skip(disk.reason)
  try {
    const data = join(disk.path, 'data')
    let store = open(data)
    let acknowledged = 0
    const fill = () => {
      for (;;) {
        store.append(set(`k${acknowledged}`, 'x'.repeat(10_000)))
        acknowledged++
      }
    }
    refuses(fill, 'store-full', join(data, 'orla.db'))
    assert.ok(acknowledged > 3)
    const ballast = join(disk.path, 'ballast')
    for (let round = 0; round < 3; round++) {
      refuses(() => store.append(set('more', 'x'.repeat(100_000))), 'store-full')
      assert.equal(store.position().id, acknowledged)
      assert.equal(store.get(`k${acknowledged - 1}`), 'x'.repeat(10_000))
      assert.equal(store.get('more'), undefined)
    }
    // A start on the full disk serves what is there.
    store.close()
    fs.writeFileSync(ballast, '')
    try {
      fs.writeFileSync(ballast, Buffer.alloc(1_000_000))
    } catch {
      // As full as it gets.
    }
    store = open(data)
    assert.deepEqual(store.verify(), { ok: true, entries: acknowledged })
    refuses(() => store.append(set('more', 'x'.repeat(100_000))), 'store-full')
    // Space comes back under the running program.
    fs.rmSync(ballast)
    execFileSync('mount', ['-o', 'remount,size=8192k', disk.path])
    assert.equal(store.append(set('more', 'x'.repeat(100_000))).id, acknowledged + 1)
    assert.ok(store.verify().ok)
    store.close()
  } finally {
    disk.unmount()
  }
})

test('on a disk that turned read-only, an append is refused and reading goes on', (t) => {
  const disk = smallDisk(4096)
  if ('reason' in disk) return t.skip(disk.reason)
  try {
    const data = join(disk.path, 'data')
    const store = open(data)
    store.append(set('a', '1'))
    store.close()
    execFileSync('mount', ['-o', 'remount,ro', disk.path])
    refuses(() => open(data), 'store-read-only', data)
    refuses(() => open(join(disk.path, 'new')), 'store-read-only', join(disk.path, 'new'))
    execFileSync('mount', ['-o', 'remount,rw', disk.path])
    const again = open(data)
    assert.equal(again.get('a'), '1')
    again.close()
  } finally {
    disk.unmount()
  }
})

test('a file or directory without the right to write is refused at the start', (t) => {
  if (process.getuid?.() === 0)
    return t.skip('root may write everywhere; the read-only disk is tested instead')
  const path = filled()
  fs.chmodSync(join(path, 'orla.db'), 0o444)
  refuses(() => open(path), 'store-read-only', join(path, 'orla.db'))
  const closed = directory()
  fs.chmodSync(closed, 0o555)
  refuses(() => open(closed), 'store-read-only', closed)
  fs.chmodSync(closed, 0o755)
})
