import { once } from 'node:events'
import { randomInt } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from './eventually.ts'

/**
 * A port for what has to be told one before it starts. Below those that the system gives to connections and to servers of other tests, and
 * reserved for this process until it ends, so that it is still free then, and while what uses it is restarted.
 */
export const freePort = (): Promise<number> =>
  eventually(async () => {
    const port = randomInt(10_000, 32_000)
    if (!reserve(port)) return undefined
    const server = createServer()
    await once(server.listen(port, '127.0.0.1'), 'listening')
    server.close()
    await once(server, 'close')
    return port
  })

/** One file a port, with the number of the process that has it: tests of many processes run at once. */
const RESERVED = join(tmpdir(), 'orla-test-ports')
const reserved: string[] = []

function reserve(port: number): boolean {
  const path = join(RESERVED, String(port))
  mkdirSync(RESERVED, { recursive: true })
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' })
  } catch {
    if (isRunning(holderOf(path))) return false
    // Of a process that was killed. Whoever else saw that may have it by now: the next port is tried.
    rmSync(path, { force: true })
    return false
  }
  if (reserved.push(path) === 1)
    process.once('exit', () => reserved.forEach((one) => rmSync(one, { force: true })))
  return true
}

function holderOf(path: string): number {
  try {
    // Not yet written where it was made just now.
    return Number(readFileSync(path, 'utf8')) || process.pid
  } catch {
    return process.pid
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
