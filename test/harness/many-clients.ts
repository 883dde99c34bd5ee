/** Many clients of a node in a test: each with an address of its own, told by a proxy that the node trusts. */
import type { Agent } from 'node:http'
import type { Answer } from './http-client.ts'
import type { TestNode } from './node.ts'

/** `edge` of a node that believes this machine about who asks. */
export const TRUSTING_EDGE = { trustedProxies: ['127.0.0.1'] }

export const clientAddresses = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, n) => `198.51.${100 + (n >> 8)}.${n & 255}`)

/** What each client gets, by its address. */
export async function askAll(
  node: Pick<TestNode, 'request'>,
  addresses: readonly string[],
  path = '/',
  agent?: Agent,
): Promise<ReadonlyMap<string, Answer>> {
  const answers = new Map<string, Answer>()
  for (let at = 0; at < addresses.length; at += 16) {
    await Promise.all(
      addresses.slice(at, at + 16).map(async (address) => {
        const headers = { 'x-forwarded-for': address }
        answers.set(address, await node.request(path, { headers, ...(agent && { agent }) }))
      }),
    )
  }
  return answers
}

/** The clients whose answers have this text. */
export const withText = (answers: ReadonlyMap<string, Answer>, text: string): ReadonlySet<string> =>
  new Set([...answers].filter(([, answer]) => answer.text === text).map(([address]) => address))
