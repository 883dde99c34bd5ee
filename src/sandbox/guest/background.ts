/** Work that goes on after the answer: `waitUntil`. The host is told, so that it keeps the isolate and bounds the time. */
import { logRejection } from './logging.ts'
import { writeBackground } from './output.ts'
import { mapDelete, mapGet, MapIntrinsic, mapSet } from './primordials.ts'

/** How much goes on for each invocation, by its id. */
const counts = new MapIntrinsic<number, number>()

export async function goOnInBackground(id: number, work: unknown): Promise<void> {
  const count = mapGet(counts, id) ?? 0
  mapSet(counts, id, count + 1)
  if (count === 0) writeBackground(id, true)
  await logRejection(id, work)
  const left = mapGet(counts, id)
  // Absent: its time was up, and the host knows.
  if (left === undefined) return
  if (left > 1) {
    mapSet(counts, id, left - 1)
    return
  }
  mapDelete(counts, id)
  writeBackground(id, false)
}

/** The host has given it up. */
export function endBackground(id: number): void {
  mapDelete(counts, id)
}
