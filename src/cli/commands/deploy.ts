/** `orla deploy`: sends units to the control plane, and tells when they are live. */
import { relative, resolve } from 'node:path'
import type { RolloutSummary } from '../../control/rollout-shapes.ts'
import type { ChangeResult } from '../../control/shapes.ts'
import { type Arguments, UsageError } from '../arguments.ts'
import { callTimeoutMs, changeWait, deployedLine, exitOf, noteEdges, valuesFrom } from '../change.ts'
import {
  CHANGE_OPTIONS,
  type Command,
  CONTROL_OPTIONS,
  EXIT,
  type ExitCode,
  JSON_OPTION,
  type Terminal,
} from '../command.ts'
import { ControlClient, ControlRefusal } from '../control-client.ts'
import { MANIFEST_OPTIONS, manifestFrom } from '../manifest-options.ts'
import { collectModule, shownFile } from '../module-files.ts'
import { followRollout } from '../rollout-follow.ts'
import { planText } from '../rollout-text.ts'
import { rolloutFrom, SHADOW_OPTIONS, STAGE_OPTIONS } from '../rollout-options.ts'
import { type FindFile, problemText, refusalText } from '../refusal.ts'
import type { signModule } from '../sign.ts'
import { unitNameOf } from '../unit-name.ts'

export const command: Command = {
  name: 'deploy',
  operands: 'FILE…',
  operandsMin: 1,
  operandsMax: Infinity,
  text: [
    'Builds, checks, tries and stores each FILE as a unit, and waits until every worker runs it. A unit that is refused changes nothing.',
    'Where tests lie beside it (`gate.test.ts` of `gate.ts`, with `orla/test`) they are run under its real limits; one that fails refuses it.',
    'A unit is named after its file; `index.ts` after its folder. Modules that the file imports go with it.',
    'With --stage it goes to clients step by step, and is rolled back by itself where it does worse than the live version; with --shadow it runs beside that one, and nobody sees it. `orla rollouts` tells how it does.',
    'Of several files the first one that is refused ends the command; those before it stay live.',
  ].join('\n'),
  options: {
    name: { value: 'NAME', text: 'the name of the unit, where there is one FILE' },
    env: {
      value: 'K=V',
      many: true,
      text: 'a value of `edge.env`; what is not named stays as the version before had it',
    },
    secret: { value: 'K=V', many: true, text: 'the same, but encrypted in the store and never shown' },
    'no-tests': { text: 'do not run the tests that lie beside it' },
    sign: {
      value: 'KEYFILE',
      text: 'signs it with a key that `orla keys new` made; runs its top level here to know what it says',
    },
    ...MANIFEST_OPTIONS,
    ...STAGE_OPTIONS,
    ...SHADOW_OPTIONS,
    ...CHANGE_OPTIONS,
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    ['orla deploy units/token-auth.ts --env TOKEN=token --paths /hls/*', 'asks for a token below /hls/'],
    ['orla deploy canary.ts --sample 0.1', 'runs it for a tenth of the requests'],
    [
      'orla deploy token-auth.ts --stage canary:5%,100% --stage 10%,50%',
      'first on edges of the group `canary`, then everywhere',
    ],
    [
      'orla deploy token-auth.ts --shadow --shadow-share 10%',
      'compares it with the live version, for a tenth of the clients',
    ],
    ['orla deploy units/*.ts --wait stored', 'does not wait until they are live'],
    [
      'orla deploy gate.ts --wait edges:gru1,gru2 --timeout 5s --on-timeout withdraw',
      'takes it back where these two edges do not run it in time',
    ],
  ],
  exits: {
    1: 'a unit was refused, by the control plane or by an edge, or with --follow rolled back: what was wrong is on standard error',
    2: 'not live everywhere in time: the laggards, and whether it stays in the log, are on standard error',
  },
  run: async (args, terminal) => {
    const name = args.text('name')
    if (name !== undefined && args.operands.length > 1) {
      throw new UsageError('--name goes with one FILE, not with several')
    }
    const isFollowed = args.flag('follow')
    if (isFollowed && args.operands.length > 1) throw new UsageError('--follow goes with one FILE')
    const units = args.operands.map((file) => {
      const path = resolve(terminal.cwd, file)
      return { path, name: name ?? unitNameOf(path) }
    })
    return deployAll(
      units,
      { ...requestFrom(args), keyFile: args.text('sign') },
      ControlClient.from(args, terminal),
      args.flag('json'),
      !args.flag('no-tests'),
      isFollowed,
      terminal,
    )
  },
}

interface NamedFile {
  readonly path: string
  readonly name: string
}

type SharedRequest = ReturnType<typeof requestFrom> & { readonly keyFile: string | undefined }

/** What all units of one command have in common. */
function requestFrom(args: Arguments) {
  return { ...changeWait(args), manifest: manifestFrom(args), ...valuesFrom(args), ...rolloutFrom(args) }
}

async function deployAll(
  units: readonly NamedFile[],
  shared: SharedRequest,
  control: ControlClient,
  asJson: boolean,
  withTests: boolean,
  isFollowed: boolean,
  terminal: Terminal,
): Promise<ExitCode> {
  const results: ChangeResult[] = []
  let exit: ExitCode = EXIT.done
  for (const unit of units) {
    const outcome = await deploy(unit, shared, control, withTests, terminal)
    if (typeof outcome === 'object') {
      results.push(outcome)
      if (!asJson) await tellDeployed(outcome, shared, control, terminal)
      if (isFollowed) exit = await followRollout(outcome, control, terminal)
      continue
    }
    exit = outcome
    if (exit === EXIT.refused) break
  }
  if (asJson) terminal.print(JSON.stringify(results))
  const left = units.slice(results.length + 1)
  if (exit === EXIT.refused && units.length > 1) {
    const live = results.length === 0 ? 'none' : results.map(({ name }) => name).join(', ')
    terminal.note(
      `  live: ${live}${left.length === 0 ? '' : `; not tried: ${left.map((unit) => unit.name).join(', ')}`}`,
    )
  }
  return exit
}

/** A version that goes in stages, or beside the live one, is told with its plan. */
async function tellDeployed(
  result: ChangeResult,
  { stages, shadow }: SharedRequest,
  control: ControlClient,
  terminal: Terminal,
): Promise<void> {
  if (!stages && !shadow) {
    terminal.print(deployedLine(result))
    return noteEdges(terminal, result)
  }
  const { name, version, live, ms } = result
  const how = stages ? 'staged' : 'shadowing with'
  terminal.print(`${how} ${name} ${version} on ${live.workers}/${live.of} workers in ${Math.round(ms)} ms`)
  noteEdges(terminal, result)
  terminal.print(planText((await control.call('GET', `/v1/rollouts/${name}`)) as RolloutSummary))
}

/** The result, or the exit code when there is none; then what was wrong has been told. */
async function deploy(
  { path, name }: NamedFile,
  { keyFile, ...shared }: SharedRequest,
  control: ControlClient,
  withTests: boolean,
  terminal: Terminal,
): Promise<ChangeResult | ExitCode> {
  const module = await collectModule(path, withTests)
  const { source, language, entry, files, tests, notTests } = module
  if (notTests !== undefined)
    terminal.note(`warning: ${relative(terminal.cwd, notTests)} was not run: it imports no \`orla/test\``)
  const find: FindFile = (file) => shownFile(module, file, terminal.cwd)
  try {
    const signature =
      keyFile === undefined
        ? undefined
        : await sign(resolve(terminal.cwd, keyFile), name, module, shared.manifest)
    const more = { ...(tests !== undefined && { tests }), ...(signature && { signature }) }
    const body = { source, language, entry, files, ...more, ...shared }
    const options = { body, timeoutMs: callTimeoutMs(shared) }
    const result = (await control.call('PUT', `/v1/units/${name}`, options)) as ChangeResult
    if (result.tests !== undefined)
      terminal.note(`${result.tests} ${result.tests === 1 ? 'test' : 'tests'} passed`)
    for (const warning of result.warnings) terminal.note(`warning: ${problemText(warning, find)}`)
    return result
  } catch (error) {
    if (!(error instanceof ControlRefusal)) throw error
    terminal.note(refusalText(error, find, name))
    return exitOf(error)
  }
}

/** With a compiler, which a deploy without a key does not wait for. */
async function sign(...args: Parameters<typeof signModule>): ReturnType<typeof signModule> {
  const { signModule } = await import('../sign.ts')
  return signModule(...args)
}
