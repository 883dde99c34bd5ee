/**
 * Refuses clients by a list that changes live, without a deploy.
 *
 * The list is the key `deny` in the namespace `deny-list` of `edge.kv`: addresses and networks, with commas or line breaks between them.
 *
 *     orla kv put deny-list deny '192.0.2.7, 198.51.100.0/24, 2001:db8::/32'
 *     orla kv delete deny-list deny
 *
 * It holds for the next request on every worker. An entry that is no address is told in the log, and the list before stays in
 * force (it is kept as `deny.good`): a slip of the pen neither locks everybody out nor lets everybody in.
 *
 * Environment: `MESSAGE`, what who is refused is told (`forbidden`).
 */
import type { Edge, Unit } from 'orla'
import { contains, type Network, parseAddress, parseNetworks } from './shared/networks.ts'

export default {
  kv: 'deny-list',
  // Before units that cost more.
  priority: 100,
  async access(request, response, edge) {
    const list = (await edge.kv.get('deny')) ?? ''
    if (list !== compiled?.list) compiled = await compile(list, edge)
    const { networks } = compiled
    const address = parseAddress(edge.client.address)
    if (address === undefined) throw new Error(`the client's address "${edge.client.address}" is none`)
    if (networks.some((network) => contains(network, address))) {
      return new Response(`${edge.env.MESSAGE ?? 'forbidden'}\n`, {
        status: 403,
        headers: { 'content-type': 'text/plain', 'cache-control': 'no-store' },
      })
    }
  },
} satisfies Unit

interface Compiled {
  readonly list: string
  readonly networks: readonly Network[]
}

/** The list is taken apart when it has changed, not at every request. */
let compiled: Compiled | undefined

/** The last list that was right lies beside it: each worker has an isolate of its own, and one that is new has seen no list before. */
const GOOD = 'deny.good'

async function compile(list: string, { kv, log }: Edge): Promise<Compiled> {
  let networks: readonly Network[]
  try {
    networks = parseNetworks(list, 'the list')
  } catch (error) {
    log.error(`${(error as Error).message}; the list before stays in force`)
    return { list, networks: parseNetworks((await kv.get(GOOD)) ?? '', 'the list before') }
  }
  try {
    if ((await kv.get(GOOD)) !== list) await kv.put(GOOD, list)
  } catch (error) {
    log.error(
      `the list is in force, and cannot be kept for the case that the next one is wrong: ${(error as Error).message}`,
    )
  }
  return { list, networks }
}
