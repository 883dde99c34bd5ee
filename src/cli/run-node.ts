/** Runs an edge node in this process until a signal ends it: for `orla start` and for the demo. */
import type { Config } from '../config/schema.ts'
import type { ConfigFile } from '../supervisor/config-file.ts'
import { untilSignalled } from '../supervisor/signals.ts'
import { startSupervisor, type SupervisorOptions } from '../supervisor/supervisor.ts'
import type { Terminal } from './command.ts'

export interface NodeReady {
  /** `http://127.0.0.1:8080` for each address it listens on. */
  readonly edge: readonly string[]
  readonly control: string
  readonly token: string
  /** Where the token is kept, and whether it was made just now; undefined where the configuration gives it. */
  readonly keptToken: { readonly path: string; readonly isNew: boolean } | undefined
}

/**
 * Resolves to the exit code when everything has ended: 0 after a drain. `onReady` is called when it serves. Throws an
 * `EdgeError` where it cannot start.
 */
export async function runNode(
  config: Config,
  file: ConfigFile,
  terminal: Terminal,
  onReady: (ready: NodeReady) => void,
  more: Pick<SupervisorOptions, 'observer' | 'program' | 'predecessor'> = {},
): Promise<number> {
  const secretKey = terminal.env['ORLA_SECRET_KEY']
  const supervisor = await startSupervisor(config, {
    file,
    environment: terminal.env,
    ...more,
    ...(secretKey !== undefined && { secretKey }),
  })
  const ended = untilSignalled(supervisor)
  onReady({
    edge: [...supervisor.urls],
    control: `http://${supervisor.controlAddress}`,
    token: supervisor.token,
    keptToken: supervisor.keptToken,
  })
  return ended
}
