/** Lines reach the file whole and in order, and nothing that happens to the file holds anybody up. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { eventually } from '../../../test/harness/eventually.ts'
import { LogFile } from './log-file.ts'

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'orla-log-file-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function readWhatIsThere(fd: number): string {
  const buffer = Buffer.alloc(1000)
  try {
    return buffer.toString('latin1', 0, readSync(fd, buffer))
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN')
    return ''
  }
}

const lineOf = (i: number): string => `line ${i} ${'x'.repeat(i % 300)}\n`
const expected = (count: number): string => Array.from({ length: count }, (_, i) => lineOf(i)).join('')

test('lines are appended whole and in order, behind what is there, also those longer than a chunk', async (t) => {
  const path = join(folderFor(t), 'access.log')
  writeFileSync(path, 'before\n')
  const file = new LogFile({ path, warn: (line) => assert.fail(line) })
  const long = `${'y'.repeat(200_000)}\n`
  for (let i = 0; i < 5000; i += 1) file.append(lineOf(i))
  file.append(long)
  await eventually(() => file.written === 5001)
  await file.close()
  assert.equal(readFileSync(path, 'latin1'), `before\n${expected(5000)}${long}`)
  assert.deepEqual([file.written, file.dropped], [5001, 0])
})

test('a line is in the file a moment later, without more lines to push it', async (t) => {
  const path = join(folderFor(t), 'access.log')
  const file = new LogFile({ path, warn: (line) => assert.fail(line) })
  file.append('one\n')
  await eventually(() => readFileSync(path, 'latin1') === 'one\n')
  file.append('two\n')
  await eventually(() => readFileSync(path, 'latin1') === 'one\ntwo\n')
  await file.close()
})

test("two writers to one file keep each other's lines whole", async (t) => {
  const path = join(folderFor(t), 'access.log')
  const files = [0, 1].map(() => new LogFile({ path, warn: (line) => assert.fail(line) }))
  for (let i = 0; i < 4000; i += 1) for (const [n, file] of files.entries()) file.append(`${n} ${lineOf(i)}`)
  await eventually(() => files.every(({ written }) => written === 4000))
  await Promise.all(files.map((file) => file.close()))
  const lines = readFileSync(path, 'latin1').split('\n').slice(0, -1)
  for (const n of [0, 1]) {
    const own = lines.filter((line) => line.startsWith(`${n} `)).map((line) => `${line.slice(2)}\n`)
    assert.equal(own.join(''), expected(4000))
  }
  assert.equal(lines.length, 8000)
})

test('after `reopen` lines go to a new file, and none is lost on the way', async (t) => {
  const folder = folderFor(t)
  const path = join(folder, 'access.log')
  const file = new LogFile({ path, warn: (line) => assert.fail(line) })
  file.append('one\n')
  await eventually(() => readFileSync(path, 'latin1') === 'one\n')
  renameSync(path, `${path}.1`)
  file.append('two\n')
  file.reopen()
  await eventually(() => readFileSync(path, 'latin1') !== undefined)
  file.append('three\n')
  // At the end it has two seconds, and no more.
  await eventually(() => file.written === 3)
  await file.close()
  assert.equal(readFileSync(`${path}.1`, 'latin1') + readFileSync(path, 'latin1'), 'one\ntwo\nthree\n')
  assert.ok(readFileSync(path, 'latin1').endsWith('three\n'))
})

test('a file that nothing is written to is closed, and opened again for the next line', async (t) => {
  const path = join(folderFor(t), 'access.log')
  const isOpen = () =>
    readdirSync('/proc/self/fd').some((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === path
      } catch {
        return false
      }
    })
  const file = new LogFile({ path, warn: (line) => assert.fail(line), unusedMs: 20 })
  for (const line of ['one\n', 'two\n']) {
    file.append(line)
    await eventually(() => readFileSync(path, 'latin1').endsWith(line))
    await eventually(() => !isOpen())
  }
  assert.equal(readFileSync(path, 'latin1'), 'one\ntwo\n')
  await file.close()
})

test('a pipe that nothing is written to stays open: its reader does not come to the end', async (t) => {
  const path = join(folderFor(t), 'pipe')
  execFileSync('mkfifo', [path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  t.after(() => closeSync(reader))
  const file = new LogFile({ path, warn: (line) => assert.fail(line), unusedMs: 1 })
  file.append('one\n')
  await eventually(() => readWhatIsThere(reader) === 'one\n')
  // Not a wait for something: nothing is to happen. At the end a read would bring nothing, and no error.
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.throws(() => readSync(reader, Buffer.alloc(1)), /EAGAIN/)
  await file.close()
})

test('a folder that is gone is told once, lines wait, and come when it is back', async (t) => {
  const folder = join(folderFor(t), 'logs')
  const warnings: string[] = []
  const file = new LogFile({ path: join(folder, 'access.log'), warn: (line) => warnings.push(line) })
  file.append('one\n')
  await eventually(() => warnings.length === 1)
  assert.match(warnings[0]!, /access\.log cannot be written: ENOENT/)
  file.append('two\n')
  mkdirSync(folder)
  await eventually(() => warnings.length === 2)
  assert.match(warnings[1]!, /is written again; 0 lines were dropped/)
  await file.close()
  assert.equal(readFileSync(join(folder, 'access.log'), 'latin1'), 'one\ntwo\n')
  assert.equal(warnings.length, 2)
})

test('what waits for a broken disk is bounded, and the rest is counted', async (t) => {
  const path = join(folderFor(t), 'missing', 'access.log')
  const file = new LogFile({ path, warn: () => {} })
  const line = `${'z'.repeat(999)}\n`
  for (let i = 0; i < 20_000; i += 1) file.append(line)
  assert.ok(file.dropped > 10_000 && file.dropped < 13_000, String(file.dropped))
  const before = performance.now()
  await file.close()
  assert.ok(performance.now() - before < 60_000)
  assert.deepEqual([file.written, file.dropped], [0, 20_000])
})

test('a pipe that nobody reads holds up nobody', async (t) => {
  const path = join(folderFor(t), 'pipe')
  execFileSync('mkfifo', [path])
  const warnings: string[] = []
  const file = new LogFile({ path, warn: (line) => warnings.push(line) })
  file.append('early\n')
  await eventually(() => warnings.length === 1)
  // O_RDWR, so that opening it waits for nobody; and reading neither.
  const reader = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  t.after(() => closeSync(reader))
  for (let i = 0; i < 1000; i += 1) file.append(lineOf(i))
  const whole = `early\n${expected(1000)}`
  let text = ''
  await eventually(
    () => {
      text += readWhatIsThere(reader)
      return text.length === whole.length
    },
    { withinMs: 120_000 },
  )
  assert.equal(text, whole)
  await file.close()
})

test('a full disk leaves whole lines, and goes on when there is room', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('mounting a file system needs root')
  const folder = mkdtempSync(join(tmpdir(), 'orla-log-file-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder])
  t.after(() => {
    execFileSync('umount', ['-l', folder])
    rmSync(folder, { recursive: true })
  })
  const path = join(folder, 'access.log')
  writeFileSync(join(folder, 'ballast'), Buffer.alloc(32 * 1024))
  const warnings: string[] = []
  const file = new LogFile({ path, warn: (line) => warnings.push(line) })
  for (let i = 0; i < 400; i += 1) file.append(lineOf(i))
  await eventually(() => warnings.length === 1)
  assert.match(warnings[0]!, /cannot be written: the disk is full/)
  const partly = readFileSync(path, 'latin1')
  assert.ok(partly.endsWith('\n') && expected(400).startsWith(partly))
  rmSync(join(folder, 'ballast'))
  execFileSync('mount', ['-o', 'remount,size=1m', folder])
  await eventually(() => warnings.length === 2)
  await file.close()
  assert.equal(readFileSync(path, 'latin1'), expected(400))
  assert.deepEqual([file.written, file.dropped], [400, 0])
})
