/** `orla store promote`: a replica becomes a store of its own. */
import { resolve } from 'node:path'
import { promote } from '../../../supervisor/store/stopped/promotion.ts'
import { type Arguments, UsageError } from '../../arguments.ts'
import { EXIT, type ExitCode, type Terminal } from '../../command.ts'

export async function promoteStore(args: Arguments, terminal: Terminal): Promise<ExitCode> {
  const path = args.text('path')
  if (path === undefined) throw new UsageError('promote needs --path DIR')
  const result = await promote(resolve(terminal.cwd, path))
  if (args.flag('json')) {
    terminal.print(JSON.stringify(result))
    return EXIT.done
  }
  const { keeper, before, position, sites } = result
  terminal.print(
    `${path} was a replica of ${keeper} up to ${before.id}, and is the log ${position.log} of its own now`,
  )
  if (sites.length > 0)
    terminal.note(
      `sites of the configuration file of the node before stay as if they had been set live: ${sites.join(', ')}`,
    )
  terminal.note('start a node on it with `store.kind: "embedded"`, and let edges follow that')
  return EXIT.done
}
