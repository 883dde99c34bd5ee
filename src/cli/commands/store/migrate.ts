/** `orla store migrate`: the log goes to another engine, and whoever follows it goes on. */
import type { Migration } from '../../../store/migration.ts'
import { migrateLog } from '../../../store/migration.ts'
import { type Side, withSide } from '../../../supervisor/store/stopped/side.ts'
import { type Arguments, UsageError } from '../../arguments.ts'
import { EXIT, type ExitCode, type Terminal } from '../../command.ts'
import { progressTo } from '../../progress.ts'

async function withEntries(names: readonly string[], source: Side): Promise<readonly string[]> {
  const found: string[] = []
  for (const name of names) {
    const { id } = await source.log(name).log.head()
    if (id > 0) found.push(name)
  }
  return found
}

export async function migrateStore(args: Arguments, terminal: Terminal): Promise<ExitCode> {
  const [from, to] = [args.text('from'), args.text('to')]
  if (from === undefined || to === undefined) throw new UsageError('migrate needs --from SPEC and --to SPEC')
  const { cwd } = terminal
  const force = args.flag('force')
  const moved = await withSide(from, { cwd }, (source) =>
    withSide(to, { cwd, isTarget: true }, async (target) => {
      const results: (Migration & { readonly name: string })[] = []
      // A control plane puts what it has of a bucket into an engine that has nothing of it: an empty one stays so.
      const names = source.names.filter((name) => target.names.includes(name))
      for (const name of await withEntries(names, source)) {
        const progress = progressTo(terminal, 'copied')
        const onProgress = (id: number, of: number) => progress(name, id, of)
        const result = await migrateLog(source.log(name), target.log(name), { force, onProgress })
        results.push({ name, ...result })
      }
      return { from: source.address, to: target.address, logs: results }
    }),
  )
  if (args.flag('json')) {
    terminal.print(JSON.stringify(moved))
    return EXIT.done
  }
  for (const { name, position, entries, keys } of moved.logs) {
    terminal.print(
      `${name}: position ${position.id} with ${keys} keys is at ${moved.to}, ${entries} entries copied; position and state are the same on both`,
    )
  }
  terminal.note('put it into `store` of the configuration of the control plane, and start that')
  return EXIT.done
}
