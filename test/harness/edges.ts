/** A control plane and edges that follow it, each a whole node. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { ConfigInput } from '../../src/config/schema.ts'
import type { EdgeStatus } from '../../src/control/edge-shapes.ts'
import { eventually } from './eventually.ts'
import { startNode, type NodeOptions, type TestNode } from './node.ts'

/** A token with the role `edge`. Where the engine of the store did not answer in time, it is asked for another one: it may have made that all the same. */
export async function edgeToken(control: TestNode, name: string): Promise<string> {
  let attempts = 0
  return eventually(async () => {
    attempts += 1
    const body = { name: attempts === 1 ? `edge-${name}` : `edge-${name}-${attempts}`, role: 'edge' }
    const { status, text } = await control.api('POST', '/v1/tokens', body)
    if (status === 503) return undefined
    assert.equal(status, 200, text)
    return (JSON.parse(text) as { token: string }).token
  })
}

export interface EdgeOptions extends NodeOptions {
  /** Where the control plane is reached: that of the node unless said, as behind a proxy that makes trouble. */
  readonly through?: string | readonly string[]
  readonly token?: string
}

/** An edge of the control plane, which serves when this resolves. */
export async function startEdge(
  t: TestContext,
  control: TestNode,
  name: string,
  options: EdgeOptions = {},
): Promise<TestNode> {
  const { through = control.control, token = await edgeToken(control, name), config = {}, ...rest } = options
  const store = {
    kind: 'replica',
    control: through as string | string[],
    token,
  } satisfies ConfigInput['store']
  return startNode(t, { ...rest, config: { ...config, node: { name, ...config.node }, store } })
}

export async function edgesOf(control: TestNode): Promise<readonly EdgeStatus[]> {
  return JSON.parse((await control.api('GET', '/v1/edges')).text) as EdgeStatus[]
}
