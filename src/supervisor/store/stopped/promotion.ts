/**
 * A replica becomes a store of its own: for when the control plane, or the engine behind it, is lost for good.
 *
 * It gets another name, so that nobody takes its log for the lost one, whose last entries it may not have. The sites of the lost node's
 * configuration file stay, as if they had been set live: the node that starts on it has another file.
 */
import { EdgeError } from '../../../base/errors.ts'
import type { Effect, Position } from '../../../contract/store.ts'
import { FILE_KEY, listSites, siteKey } from '../../../site/records.ts'
import { withStore } from './directory.ts'

export interface Promotion {
  /** Whose replica it was. */
  readonly keeper: string
  readonly before: Position
  readonly position: Position
  /** Of the file of the node that is lost, and kept. */
  readonly sites: readonly string[]
}

export function promote(directory: string): Promise<Promotion> {
  return withStore(directory, (store) => {
    const keeper = store.keeper()
    if (keeper === undefined) {
      throw new EdgeError('request-invalid', `${directory} is a store of its own already`, {
        hint: 'start it with `store.kind: "embedded"`, which is the default',
      })
    }
    const before = store.position()
    const sites = listSites(store).filter(([, { from }]) => from === 'file')
    const version = before.id + 1
    const effects = sites.map(([name, record]): Effect => {
      return {
        operation: 'SET',
        key: siteKey(name),
        value: JSON.stringify({ ...record, from: 'live', version }),
      }
    })
    const isFiled = store.get(FILE_KEY) !== undefined
    // First: cut here, it is a replica still, and is promoted again.
    store.append([...effects, ...(isFiled ? [{ operation: 'DELETE', key: FILE_KEY } as const] : [])])
    const position = store.standAlone()
    return { keeper, before, position, sites: sites.map(([name]) => name) }
  })
}
