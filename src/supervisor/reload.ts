/** A reload that nobody waits for, after a signal or a change of the file: the operator reads in the log what came of it. */
import type { ControlledNode } from '../control/node.ts'
import { siteChangeText } from '../control/site-text.ts'
import type { Log } from './log.ts'

const RELOAD_OPTIONS = { wait: 'all', timeoutMs: 60_000 } as const

export async function reloadTold(node: Pick<ControlledNode, 'reload'>, why: string, log: Log): Promise<void> {
  try {
    const result = await node.reload(RELOAD_OPTIONS)
    log.info(`${result.source} was reloaded (${why}): ${siteChangeText(result, result.settings)}`)
  } catch (error) {
    log.warn(
      `the configuration was not reloaded (${why}), and the one before stays: ${(error as Error).message}`,
    )
  }
}
