/** How a bench leaves the machine: nothing of it runs on, and its folder is gone. */
import type { ChildProcess } from 'node:child_process'
import { rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** Asks the processes to end, and ends those that do not. */
export async function endBench(
  children: readonly ChildProcess[],
  origin: Server,
  folder: string,
): Promise<void> {
  for (const child of children) child.kill('SIGTERM')
  await sleep(1500)
  for (const child of children) child.kill('SIGKILL')
  origin.close()
  origin.closeAllConnections()
  rmSync(folder, { recursive: true, force: true })
}
