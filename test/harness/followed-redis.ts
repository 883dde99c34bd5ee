/** A node that follows a Redis as a source of units, behind an origin that says what it was asked. */
import type { TestContext } from 'node:test'
import type { SourceSummary } from '../../src/control/source-shapes.ts'
import { eventually } from './eventually.ts'
import { startNode, type TestNode } from './node.ts'
import { startOrigin } from './origin.ts'
import type { RedisServer } from './redis.ts'

type SourceInput = NonNullable<NonNullable<Parameters<typeof startNode>[1]>['config']>['sources']

export async function startFollowing(t: TestContext, redis: RedisServer, more: object = {}) {
  const origin = await startOrigin(t, (request, response) => response.end(`origin saw ${request.url}`))
  const sources = [
    { kind: 'redis', name: 'legacy', url: redis.url, everySeconds: 0.2, ...more },
  ] as SourceInput
  return startNode(t, { config: { sites: [{ origin: origin.url }], sources: sources! } })
}

export async function stateOf(node: TestNode): Promise<SourceSummary> {
  const [source] = JSON.parse((await node.api('GET', '/v1/sources')).text) as SourceSummary[]
  return source!
}

/** `name state` of each, once it is so. */
export async function settled(node: TestNode, expected: readonly string[]): Promise<SourceSummary> {
  let seen: SourceSummary | undefined
  await eventually(
    async () => {
      seen = await stateOf(node)
      return (
        JSON.stringify(seen.units.map(({ name, state }) => `${name} ${state}`)) === JSON.stringify(expected)
      )
    },
    { what: () => `expected ${expected.join(', ')}, not ${JSON.stringify(seen)}\n${node.stderr()}` },
  )
  return seen!
}

export const put = async (redis: RedisServer, name: string, value: string) => {
  await redis.cli('set', name, value)
  await redis.cli('sadd', 'coding_units', name)
}
