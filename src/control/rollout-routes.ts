/** Routes of rollouts; see `routes.ts`. */
import type * as v from 'valibot'
import { EdgeError } from '../base/errors.ts'
import { readBody } from './body.ts'
import { defined } from './defined.ts'
import type { RolloutMove, RolloutRequest } from './node.ts'
import { RolloutShape } from './rollout-shapes.ts'
import type { Route } from './routes.ts'
import * as shapes from './shapes.ts'

type Asked = Pick<v.InferOutput<typeof shapes.DeployBody>, 'stages' | 'gate' | 'stepForMs' | 'shadow'>

/** Undefined where nothing of it was asked for. */
export function rolloutRequest({ stages, gate, stepForMs, shadow }: Asked): RolloutRequest | undefined {
  if (shadow !== undefined) {
    if (stages ?? gate ?? stepForMs) {
      throw new EdgeError('request-invalid', '`shadow` goes without `stages`, `gate` and `stepForMs`', {
        hint: 'promote the shadow with stages later',
      })
    }
    return { kind: 'shadow', share: shadow.share, mayFetch: shadow.fetch }
  }
  if (stages === undefined) {
    if (gate === undefined && stepForMs === undefined) return undefined
    throw new EdgeError('request-invalid', '`gate` and `stepForMs` go with `stages`')
  }
  return { kind: 'staged', stages, ...defined({ gate: gate && defined(gate), stepForMs }) }
}

const move = (action: Exclude<RolloutMove['action'], 'promote'>, summary: string): Route => ({
  method: 'POST',
  path: `/v1/rollouts/{name}/${action}`,
  summary,
  body: shapes.WaitBody,
  answer: shapes.ChangeShape,
  access: 'deploy',
  limited: 'may',
  handle: async ({ node, name, request }) =>
    node.moveRollout(name, { action }, await readBody(request, shapes.WaitBody)),
})

export const ROLLOUT_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/rollouts',
    summary: 'New versions on their way, in stages or as shadows, and how the last one of each unit went.',
    answer: [RolloutShape],
    access: 'read',
    limited: 'may',
    handle: ({ node }) => node.rollouts(),
  },
  {
    method: 'GET',
    path: '/v1/rollouts/{name}',
    summary: 'The rollout of one unit: its stages, and how both versions do.',
    answer: RolloutShape,
    access: 'read',
    limited: 'may',
    handle: ({ node, name }) => node.rollout(name),
  },
  move('advance', 'Begins the next stage at once; after the last one the version is live.'),
  move('pause', 'Stays at this stage, and judges nothing. A shadow does not run.'),
  move('resume', 'Goes on where it was paused; the step begins anew.'),
  move('abort', 'Ends it: the live version stays, for everybody.'),
  {
    method: 'POST',
    path: '/v1/rollouts/{name}/promote',
    summary: 'Makes a shadow live, or lets it begin its stages.',
    body: shapes.PromoteBody,
    answer: shapes.ChangeShape,
    access: 'deploy',
    limited: 'may',
    async handle({ node, name, request }) {
      const { stages, gate, stepForMs, ...options } = await readBody(request, shapes.PromoteBody)
      const staged = rolloutRequest({ stages, gate, stepForMs, shadow: undefined })
      return node.moveRollout(
        name,
        { action: 'promote', ...(staged?.kind === 'staged' && { staged }) },
        options,
      )
    },
  },
]
