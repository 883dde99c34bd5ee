/** What a replica of an engine's log looks at where that does not go on from where it stands, before it takes what is there instead. */
import { EdgeError } from '../base/errors.ts'
import type { SharedLog } from '../contract/shared-log.ts'
import type { LogEntry, Position } from '../contract/store.ts'

const AT_ONCE = 1000

/**
 * An engine that was emptied, or is another one (a wrong prefix or database), takes nothing away here. Throws `store-diverged`; `what` is the log, as
 * people call it.
 */
export function assertNotEmptied(what: string, here: Position, there: Position, hint: string): void {
  if (there.log === here.log || there.id > 0 || here.id === 0) return
  throw new EdgeError('store-diverged', `${what} is empty, and this replica has ${here.id} entries`, {
    hint: `what runs goes on; ${hint}`,
  })
}

/**
 * An engine that fails over to a server which had not everything lost what was acknowledged: it is here, and follows what is there. Returns how many
 * entries were put back; undefined: they are not here any more, or somebody else wrote.
 */
export async function putBack(
  log: SharedLog,
  there: Position,
  entriesAfter: (position: Position, limit: number) => readonly LogEntry[] | 'reset',
): Promise<number | undefined> {
  let after = there
  for (;;) {
    const entries = entriesAfter(after, AT_ONCE)
    if (entries === 'reset') return undefined
    const last = entries.at(-1)
    if (last === undefined) return after.id - there.id
    if ((await log.append(after, entries)) === 'conflict') return undefined
    after = { log: there.log, id: last.id, hash: last.hash }
  }
}
