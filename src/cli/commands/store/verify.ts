/** `orla store verify`: whether the log is whole, of a node that runs or of one that is stopped. */
import { resolve } from 'node:path'
import type { StoreVerdict } from '../../../control/store-shapes.ts'
import { withStore } from '../../../supervisor/store/stopped/directory.ts'
import type { Arguments } from '../../arguments.ts'
import { EXIT, type ExitCode, type Terminal } from '../../command.ts'
import { ControlClient } from '../../control-client.ts'

/** A log of millions of entries takes its time. */
const VERIFY_MAX_MS = 600_000

export async function verifyStore(args: Arguments, terminal: Terminal): Promise<ExitCode> {
  const path = args.text('path')
  const verdict =
    path === undefined
      ? ((await ControlClient.from(args, terminal).call('POST', '/v1/store/verify', {
          timeoutMs: VERIFY_MAX_MS,
        })) as StoreVerdict)
      : await verifyStopped(resolve(terminal.cwd, path))
  const { ok, position, id, problem } = verdict
  if (args.flag('json')) terminal.print(JSON.stringify(verdict))
  else if (ok)
    terminal.print(
      `the log ${position.log} is whole up to ${position.id}, and its state is what it adds up to`,
    )
  else terminal.print(`the log ${position.log} is not whole: entry ${id}: ${problem}`)
  return ok ? EXIT.done : EXIT.refused
}

const verifyStopped = (directory: string): Promise<StoreVerdict> =>
  withStore(directory, (store) => {
    const verdict = store.verify()
    const position = store.position()
    return verdict.ok
      ? { ok: true, position }
      : { ok: false, position, id: verdict.id, problem: verdict.problem }
  })
