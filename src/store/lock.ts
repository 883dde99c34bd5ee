/**
 * One orla a data directory, by a lock that dies with its holder, `kill -9` included.
 *
 * It is SQLite's own exclusive lock on a small empty file (a POSIX record lock, held by the kernel for the process).
 * A pid file alone would outlive its process, so `orla.pid` is only for the message. Do not open `orla.lock` by other
 * means in the process that holds it: POSIX drops a process's locks on a file when it closes any handle of it.
 */
import { DatabaseSync } from 'node:sqlite'
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { EdgeError } from '../base/errors.ts'
import { storeError } from '../base/sqlite-failure.ts'

export interface DirectoryLock {
  release(): void
}

/** Makes the directory where it is missing and locks it. Throws `data-in-use` naming who has it. */
export function lockDirectory(directory: string): DirectoryLock {
  const path = join(directory, 'orla.lock')
  const pidPath = join(directory, 'orla.pid')
  let lock: DatabaseSync | undefined
  makeDirectory(directory)
  try {
    lock = new DatabaseSync(path, { timeout: 0 })
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    lock?.close()
    const failure = storeError(path, error)
    if (failure.code !== 'data-in-use') throw failure
    throw new EdgeError('data-in-use', `${directory} is used by ${holder(pidPath)}`, { cause: error })
  }
  writePid(pidPath)
  const held = lock
  return {
    release() {
      // Before the lock goes: afterwards the file may be the next holder's.
      rmSync(pidPath, { force: true })
      held.close()
    },
  }
}

/** Whatever the system calls the reason (ENOENT on a read-only disk), the directory cannot be written. */
function makeDirectory(path: string): void {
  try {
    makeWithParents(resolve(path))
  } catch (error) {
    const reason = (error as Error).message
    throw new EdgeError('store-read-only', `the directory ${path} cannot be made: ${reason}`, {
      cause: error,
    })
  }
}

/** Node's own `recursive` tries for ever where the kernel says that the parent is missing, as below `/proc`. */
function makeWithParents(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return
  if (path !== dirname(path)) makeWithParents(dirname(path))
  mkdirSync(path)
}

/** On a full disk the message will be poorer; that is no reason not to start. */
function writePid(path: string): void {
  try {
    writeFileSync(path, `${process.pid}\n${process.argv.join(' ')}\n`)
  } catch {
    rmSync(path, { force: true })
  }
}

function holder(pidPath: string): string {
  const [pid, command] = textOf(pidPath).split('\n')
  if (!pid || !/^\d+$/.test(pid)) return 'another process'
  // What the kernel says is fresher than what was noted: the holder may have set its title since.
  const running = textOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()
  const line = running || command
  return `process ${pid}${line ? ` (${line})` : ''}`
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
