import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createSharedWords, inheritSharedWords, openSharedWords, type SharedWords } from './shared-words.ts'

const module = new URL('shared-words.ts', import.meta.url).href

/** Runs a line in another process, with the words of `path` as `words`. */
function inAnotherProcess(path: string, line: string): void {
  const program = `
    const { openSharedWords } = await import(${JSON.stringify(module)})
    const words = openSharedWords(${JSON.stringify(path)})
    ${line}`
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  assert.equal(child.status, 0, child.stderr)
}

test('a word that one process writes is read by another', () => {
  const shared = createSharedWords(4)
  try {
    assert.equal(shared.words.length, 4)
    Atomics.store(shared.words, 0, 41)
    inAnotherProcess(shared.path, 'if (Atomics.add(words, 0, 1) !== 41) process.exit(1)')
    assert.equal(Atomics.load(shared.words, 0), 42)
  } finally {
    shared.unlink()
  }
})

test('without /dev/shm a regular file does the same', () => {
  const directory = mkdtempSync(join(tmpdir(), 'words-test-'))
  const shared = createSharedWords(2, directory)
  try {
    inAnotherProcess(shared.path, 'Atomics.store(words, 1, -7)')
    assert.equal(Atomics.load(shared.words, 1), -7)
  } finally {
    shared.unlink()
    rmSync(directory, { recursive: true })
  }
})

test('the words outlive their file in those who mapped it', () => {
  const shared = createSharedWords(1)
  const second = openSharedWords(shared.path)
  shared.unlink()
  assert.equal(existsSync(shared.path), false)
  Atomics.store(shared.words, 0, 5)
  assert.equal(Atomics.load(second, 0), 5)
})

test('a file left by a process that was killed is removed by the next one, a living one keeps its own', () => {
  const directory = mkdtempSync(join(tmpdir(), 'words-test-'))
  const gone = spawnSync(process.execPath, ['-e', '']).pid
  mkdirSync(join(directory, `orla-words-${gone}-abc`))
  const first = createSharedWords(1, directory)
  const second = createSharedWords(1, directory)
  assert.equal(existsSync(join(directory, `orla-words-${gone}-abc`)), false)
  assert.ok(existsSync(first.path) && existsSync(second.path))
  rmSync(directory, { recursive: true })
})

test('words are inherited: the same memory, when who made them has let them go', () => {
  const first = createSharedWords(4)
  Atomics.store(first.words, 2, 7)
  const second = inheritSharedWords(first.path, 4)!
  first.unlink()
  assert.equal(Atomics.load(second.words, 2), 7)
  Atomics.add(first.words, 2, 1)
  assert.equal(Atomics.load(openSharedWords(second.path), 2), 8)
  assert.equal(inheritSharedWords(second.path, 5), undefined, 'another count is another meaning')
  second.unlink()
  assert.equal(inheritSharedWords(second.path, 4), undefined)
})

test('words that nobody can reach any more are mapped no more, and those that somebody has stay', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const shared = createSharedWords(4096)
  const isMapped = (path: string) => readFileSync('/proc/self/maps', 'utf8').includes(path)
  const kept = openSharedWords(shared.path)
  let other: SharedWords | undefined = createSharedWords(4096)
  const { path } = other
  assert.ok(isMapped(path))
  other.unlink()
  other = undefined
  const deadline = performance.now() + 60_000
  while (isMapped(path) && performance.now() < deadline) {
    collect()
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(isMapped(path), false)
  assert.ok(isMapped(shared.path))
  assert.equal(Atomics.load(kept, 0), 0)
  shared.unlink()
})
