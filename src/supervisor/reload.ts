/** A reload that nobody waits for, after a signal or a change of the file: the operator reads in the log what came of it. */
import { EdgeError } from '../base/errors.ts'
import type { ControlledNode } from '../control/node.ts'
import { siteChangeText } from '../control/site-text.ts'
import type { SqliteStore } from '../store/sqlite-store.ts'
import type { Log } from './log.ts'

const BY_ITSELF = { who: 'node', address: '', action: 'reload', subject: '' } as const

const RELOAD_OPTIONS = { wait: 'all', timeoutMs: 60_000 } as const

export async function reloadTold(
  node: Pick<ControlledNode, 'reload'>,
  store: SqliteStore,
  why: string,
  log: Log,
): Promise<void> {
  const note = (result: string) => {
    try {
      store.audit.append({ ...BY_ITSELF, name: why, result, position: store.position().id })
    } catch (error) {
      // The disk is full: nobody waits for this, so a throw would end the node.
      log.warn(`the audit log misses a reload: ${(error as Error).message}`)
    }
  }
  try {
    const result = await node.reload(RELOAD_OPTIONS)
    note('ok')
    log.info(`${result.source} was reloaded (${why}): ${siteChangeText(result, result.settings)}`)
  } catch (error) {
    note(error instanceof EdgeError ? error.code : 'internal')
    log.warn(
      `the configuration was not reloaded (${why}), and the one before stays: ${(error as Error).message}`,
    )
  }
}
