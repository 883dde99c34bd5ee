/** Looks at a store's file that no node uses, such as the copy in a backup: whether it is whole, and where it ends. */
import type { Position } from '../contract/store.ts'
import { EdgeError } from '../base/errors.ts'
import { storeError } from '../base/sqlite-failure.ts'
import { openFile } from './schema.ts'
import { lastPosition } from './positions.ts'
import { verifyLog } from './verify.ts'

/** Throws `store-corrupt` where an entry, or the state, is not what the hashes say. */
export function inspectStore(path: string): { readonly position: Position } {
  try {
    const db = openFile(path)
    try {
      const verdict = verifyLog(db, { from: 1, state: true })
      if (!verdict.ok) {
        throw new EdgeError('store-corrupt', `${path}: entry ${verdict.id}: ${verdict.problem}`)
      }
      return { position: lastPosition(db) }
    } finally {
      db.close()
    }
  } catch (error) {
    throw storeError(path, error)
  }
}
