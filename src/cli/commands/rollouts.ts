/** `orla rollouts`: new versions on their way, and what moves them. */
import type { RolloutSummary } from '../../control/rollout-shapes.ts'
import { UsageError } from '../arguments.ts'
import { callTimeoutMs, changeWait } from '../change.ts'
import { CHANGE_OPTIONS, type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION } from '../command.ts'
import { ControlClient } from '../control-client.ts'
import { STAGE_OPTIONS, stagesFrom } from '../rollout-options.ts'
import { planText, rolloutDetail, rolloutList, stepText } from '../rollout-text.ts'

const ACTIONS = ['advance', 'pause', 'resume', 'abort', 'promote'] as const

export const command: Command = {
  name: 'rollouts',
  operands: '[NAME] | advance|pause|resume|abort|promote NAME',
  operandsMin: 0,
  operandsMax: 2,
  text: [
    'Lists versions that go in stages (`orla deploy --stage`) or run as shadows (`--shadow`), and how the last one of each unit went. With NAME, how both versions do; of a shadow, where it decided otherwise.',
    '`advance` begins the next step at once, whatever the gate says; after the last one the version is live. `pause` stays at the step and judges nothing, `resume` goes on and begins the step anew. `abort` ends it: the live version stays, for everybody.',
    '`promote` makes a shadow live; with --stage it goes in stages from there.',
  ].join('\n'),
  options: { ...STAGE_OPTIONS, ...CHANGE_OPTIONS, ...CONTROL_OPTIONS, ...JSON_OPTION },
  examples: [
    ['orla rollouts', 'lists them'],
    ['orla rollouts token-auth', 'tells how both versions do'],
    ['orla rollouts abort token-auth', 'ends one'],
    ['orla rollouts promote token-auth --stage 5%,50%', 'lets a shadow begin its stages'],
  ],
  exits: { 1: 'there is no such unit, or nothing of it is on its way', 2: 'not live everywhere in time' },
  run: async (args, terminal) => {
    const control = ControlClient.from(args, terminal)
    const staged = stagesFrom(args)
    const asJson = args.flag('json')
    const [first, second] = args.operands
    const read = async (name: string) =>
      (await control.call('GET', `/v1/rollouts/${encodeURIComponent(name)}`)) as RolloutSummary
    if (second === undefined) {
      if (staged.stages) throw new UsageError('--stage goes with `promote NAME`')
      const found =
        first === undefined
          ? ((await control.call('GET', '/v1/rollouts')) as RolloutSummary[])
          : await read(first)
      if (asJson) terminal.print(JSON.stringify(found))
      else terminal.print(Array.isArray(found) ? rolloutList(found) : rolloutDetail(found))
      return EXIT.done
    }
    const action = ACTIONS.find((one) => one === first)
    if (action === undefined) throw new UsageError(`"${first}" is none of ${ACTIONS.join(', ')}`)
    if (staged.stages && action !== 'promote') throw new UsageError('--stage goes with `promote`')
    const waiting = changeWait(args)
    await control.call('POST', `/v1/rollouts/${encodeURIComponent(second)}/${action}`, {
      body: { ...waiting, ...staged },
      timeoutMs: callTimeoutMs(waiting),
    })
    const now = await read(second)
    if (asJson) terminal.print(JSON.stringify(now))
    else {
      terminal.print(`${now.name}@${now.version} ${stepText(now)}`)
      if (staged.stages) terminal.print(planText(now))
    }
    return EXIT.done
  },
}
