/** `orla check`: builds and type-checks units here, as a deploy would, without a control plane. */
import { relative, resolve } from 'node:path'
import type { BuildResult } from '../../checker/protocol.ts'
import { type Command, EXIT, JSON_OPTION, type Terminal } from '../command.ts'
import { UnitBuild } from '../local-build.ts'
import { collectModule, type ModuleFiles, shownFile } from '../module-files.ts'
import { problemText } from '../refusal.ts'
import { unitNameOf } from '../unit-name.ts'

export const command: Command = {
  name: 'check',
  operands: 'FILE…',
  operandsMin: 1,
  operandsMax: Infinity,
  text: 'Builds and type-checks each FILE as `orla deploy` would, and deploys nothing. No node needs to run.',
  options: JSON_OPTION,
  examples: [['orla check units/*.ts', 'checks all units, as before a commit']],
  exits: { 1: 'a unit would be refused: the diagnostics are on standard error' },
  run: async (args, terminal) => {
    const build = new UnitBuild()
    const results: object[] = []
    let isRefused = false
    for (const file of args.operands) {
      const path = resolve(terminal.cwd, file)
      const module = await collectModule(path, true)
      const result = await build.run(unitNameOf(path), module)
      isRefused ||= !result.ok
      if (args.flag('json')) results.push({ file, ok: result.ok, problems: problemsOf(result) })
      else tell(terminal, relative(terminal.cwd, path), module, result)
    }
    if (args.flag('json')) terminal.print(JSON.stringify(results))
    return isRefused ? EXIT.refused : EXIT.done
  },
}

const problemsOf = (result: BuildResult) => (result.ok ? result.warnings : result.problems)

function tell(terminal: Terminal, file: string, module: ModuleFiles, result: BuildResult): void {
  for (const problem of problemsOf(result)) {
    const text = problemText(problem, (name) => shownFile(module, name, terminal.cwd))
    terminal.note(problem.severity === 'warning' ? `warning: ${text}` : text)
  }
  if (result.ok) terminal.print(`ok ${file}`)
  else terminal.note(`refused ${file}`)
}
