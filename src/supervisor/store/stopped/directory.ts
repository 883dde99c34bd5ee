/** The data directory of a node that is stopped. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../../base/clock.ts'
import { EdgeError } from '../../../base/errors.ts'
import { openStore, type SqliteStore } from '../../../store/sqlite-store.ts'

/** Does the work on its store. Throws `data-in-use` where a node runs on it, and `store-missing` where there is none. */
export async function withStore<T>(
  directory: string,
  work: (store: SqliteStore) => T | Promise<T>,
): Promise<T> {
  if (!existsSync(join(directory, 'orla.db'))) {
    throw new EdgeError('store-missing', `${directory} holds no store: there is no orla.db in it`, {
      hint: 'give the data directory of a node: `store.path` of its configuration',
    })
  }
  const store = openStore(directory, { clock: systemClock })
  try {
    return await work(store)
  } finally {
    store.close()
  }
}
