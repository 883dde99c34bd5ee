/** Rollouts on a node in a test: what is asked of them, and who has which version. */
import assert from 'node:assert/strict'
import type { RolloutSummary } from '../../src/control/rollout-shapes.ts'
import { askAll, clientAddresses, withText } from './many-clients.ts'
import { WITH_TIME, type TestNode } from './node.ts'

export const CLIENTS = clientAddresses(120)

/** A step ends when it is asked to, and not by itself. */
export const BY_HAND = { stepForMs: 3_600_000, gate: { minRuns: 0 } }

/** A unit that answers below `/NAME` with a text. A machine that stands still counts some of it as CPU time. */
export const page = (name: string, text: string): string =>
  `export default { paths: ['/${name}'], limits: { cpuMs: 1000 }, content: () => new Response('${text}') }`

type OfKind<Kind> = Extract<RolloutSummary, { kind: Kind }>

export async function rolloutOf<Kind extends 'staged' | 'shadow' = 'staged'>(
  node: TestNode,
  name: string,
): Promise<OfKind<Kind>> {
  const answer = await node.api('GET', `/v1/rollouts/${name}`)
  assert.equal(answer.status, 200, answer.text)
  return JSON.parse(answer.text) as OfKind<Kind>
}

export async function move(node: TestNode, name: string, action: string, body: object = {}): Promise<void> {
  const answer = await node.api('POST', `/v1/rollouts/${name}/${action}`, { ...WITH_TIME, ...body })
  assert.equal(answer.status, 200, answer.text)
}

/** The clients that are answered with `new` below `/NAME`. */
export const chosen = async (node: TestNode, name: string): Promise<ReadonlySet<string>> =>
  withText(await askAll(node, CLIENTS, `/${name}`), 'new')
