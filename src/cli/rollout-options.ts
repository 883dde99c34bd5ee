/** What `orla deploy` and `orla rollouts promote` share: how a version goes in stages. */
import type { RolloutGate } from '../contract/rollout.ts'
import { parseGate } from '../unit/rollout/gate.ts'
import { parseShare, parseStages } from '../unit/rollout/stages.ts'
import { type Arguments, UsageError } from './arguments.ts'
import type { Option } from './command.ts'

export const STAGE_OPTIONS = {
  stage: {
    value: '[GROUP,…:]SHARE%,…',
    many: true,
    text: 'goes to shares of the clients step by step: `canary:5%,100%` on edges of the group `canary`, `10%,50%` on all; then it is live everywhere',
  },
  'step-for': { value: 'TIME', text: 'how long a step lasts at least; 60s unless said' },
  'min-runs': {
    value: 'N',
    text: 'requests that must have run the new version before the next step; 50 unless said',
  },
  gate: {
    value: 'CONDITIONS',
    text: 'how much worse than the live version it may be: `errors=1%,5xx=1%,latency=2x` unless said; beyond that it is rolled back',
  },
} as const satisfies Record<string, Option>

export const SHADOW_OPTIONS = {
  shadow: {
    text: 'runs it beside the live version: nobody sees its answers, its writes go nowhere, and what it decides otherwise is counted',
  },
  'shadow-share': { value: 'SHARE%', text: 'runs the shadow for a share of the clients alone' },
  'shadow-fetch': { text: 'lets GET and HEAD of a shadow go out by `fetch`; nothing does otherwise' },
  replace: { text: 'ends a rollout of the unit that is under way' },
  follow: { text: 'waits until the rollout has ended, and tells each step' },
} as const satisfies Record<string, Option>

export interface StagesBody {
  readonly stages?: readonly string[]
  readonly gate?: Partial<RolloutGate>
  readonly stepForMs?: number
}

/** Empty where no stages were asked for. */
export function stagesFrom(args: Arguments): StagesBody {
  const stages = args.all('stage')
  const stepForMs = args.duration('step-for')
  const minRuns = args.number('min-runs', 0, 1_000_000_000)
  const gateText = args.text('gate')
  if (stages.length === 0) {
    const lone = ['step-for', 'min-runs', 'gate'].find((name) => args.flag(name))
    if (lone !== undefined) throw new UsageError(`--${lone} goes with --stage`)
    return {}
  }
  const read = parseStages(stages)
  if ('problem' in read) throw new UsageError(`--stage ${read.problem}`)
  const given = gateText === undefined ? { gate: {} } : parseGate(gateText)
  if ('problem' in given) throw new UsageError(`--gate ${given.problem}`)
  const gate = { ...given.gate, ...(minRuns !== undefined && { minRuns: Math.floor(minRuns) }) }
  return {
    stages,
    ...(Object.keys(gate).length > 0 && { gate }),
    ...(stepForMs !== undefined && { stepForMs }),
  }
}

/** What a deploy says of how its version gets to clients. */
export function rolloutFrom(args: Arguments) {
  const staged = stagesFrom(args)
  const isShadow = args.flag('shadow')
  const lone = isShadow ? undefined : ['shadow-share', 'shadow-fetch'].find((name) => args.flag(name))
  if (lone !== undefined) throw new UsageError(`--${lone} goes with --shadow`)
  if (isShadow && staged.stages)
    throw new UsageError('--shadow and --stage do not go together: `orla rollouts promote` takes stages')
  const given = args.text('shadow-share') ?? '100%'
  const share = parseShare(given)
  if (share === undefined)
    throw new UsageError(`--shadow-share takes a share of the clients above 0% to 100%, not "${given}"`)
  if (args.flag('follow') && !staged.stages) throw new UsageError('--follow goes with --stage')
  return {
    ...staged,
    ...(isShadow && { shadow: { share, fetch: args.flag('shadow-fetch') } }),
    ...(args.flag('replace') && { replace: true }),
  }
}
