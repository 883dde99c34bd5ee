/** Runs an edge node in this process until a signal ends it: for `orla start`, `orla join` and for the demo. */
import type { Config } from '../config/schema.ts'
import type { ConfigFile } from '../supervisor/config-file.ts'
import { untilSignalled } from '../supervisor/signals.ts'
import { Predecessor } from '../supervisor/handover/predecessor.ts'
import type { Program } from '../supervisor/handover/successor.ts'
import { startSupervisor, type SupervisorOptions } from '../supervisor/supervisor.ts'
import type { Terminal } from './command.ts'

export interface NodeReady {
  /** `http://127.0.0.1:8080` for each address it listens on. */
  readonly edge: readonly string[]
  readonly control: string
  /** `dns://0.0.0.0:53` for each address at which it answers DNS. */
  readonly dns: readonly string[]
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
  more: Pick<SupervisorOptions, 'observer' | 'program' | 'predecessor' | 'joinTimeoutMs'> = {},
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
    dns: supervisor.dns,
    token: supervisor.token,
    keptToken: supervisor.keptToken,
  })
  return ended
}

/** Tells the program that this one takes over from, where there is one, what went wrong. */
export async function asSuccessor(
  run: (predecessor: Predecessor | undefined) => Promise<number>,
): Promise<number> {
  const predecessor = Predecessor.ofThisProcess()
  try {
    return await run(predecessor)
  } catch (error) {
    predecessor?.failed((error as Error).message)
    throw error
  }
}

/** The line that scripts wait for. */
export const tellReady =
  (terminal: Terminal) =>
  ({ edge, control, dns, keptToken }: NodeReady): void => {
    if (keptToken?.isNew) {
      // Not the token: what is said here lies in journals, which more people read than the file.
      terminal.note(`no control.token is configured: one was made; its owner reads it in ${keptToken.path}`)
    } else if (keptToken) {
      terminal.note(`no control.token is configured: the one in ${keptToken.path} is used`)
    }
    const ofDns = dns.length === 0 ? '' : ` dns=${dns.join(',')}`
    terminal.print(`ready edge=${edge.join(',')} control=${control}${ofDns}`)
  }

/**
 * What runs this command once more, with `more`: by the path that it was called by, which may be a link to another release by then.
 */
export function programOf(env: Terminal['env'], more: readonly string[] = []): Program {
  const [script = '', ...given] = process.argv.slice(1)
  const args = [...given, ...more]
  const called = env['ORLA_PROGRAM']
  return called === undefined
    ? { command: process.execPath, args: [...process.execArgv, script, ...args] }
    : { command: called, args }
}
