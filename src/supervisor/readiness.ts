/** Whether the node should get traffic and changes: for `/readyz`, and for a scrape. */
import type { SqliteStore } from '../store/sqlite-store.ts'
import { storeProblems } from './store/store-problems.ts'
import type { WorkerPool } from './workers/worker-pool.ts'

export interface Readiness {
  /** Why it should not; empty where it should. */
  readonly reasons: readonly string[]
  readonly isStoreWritable: boolean
}

export interface Judged {
  readonly pool: WorkerPool
  readonly store: SqliteStore
  isDraining(): boolean
}

export function readiness({ pool, store, isDraining }: Judged): Readiness {
  const missing = pool.size - pool.ready().length
  const problems = storeProblems(store.path)
  return {
    reasons: [
      ...(isDraining() ? ['the node is draining'] : []),
      ...(missing > 0 ? [`${missing} of ${pool.size} workers are not ready`] : []),
      ...problems,
    ],
    isStoreWritable: problems.length === 0,
  }
}
