/** The store of a data directory whose last program may still be on its way out. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import { openStore, type SqliteStore } from '../../store/sqlite-store.ts'
import type { Predecessor } from './predecessor.ts'

/** How long the lock of a program that was killed is waited for, and how often it is tried. */
const LOCK_MAX_MS = 10_000
const LOCK_WAIT_MS = 50

/** Of a program that was killed the channel may close before its files do, which lets the lock go. */
export async function openWhenFree(
  directory: string,
  clock: Clock,
  predecessor: Predecessor | undefined,
): Promise<SqliteStore> {
  const deadline = performance.now() + LOCK_MAX_MS
  for (;;) {
    try {
      return openStore(directory, { clock })
    } catch (error) {
      const isHeld = error instanceof EdgeError && error.code === 'data-in-use' && predecessor?.isGone
      if (!isHeld || performance.now() > deadline) throw error
      await sleep(LOCK_WAIT_MS)
    }
  }
}
