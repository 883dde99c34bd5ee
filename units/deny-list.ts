/**
 * Refuses clients by a list that changes live, without a deploy.
 *
 * The list is the key `deny` in the namespace `deny-list` of `edge.kv`: addresses and networks, with commas or line breaks between them.
 *
 *     orla kv put deny-list deny '192.0.2.7, 198.51.100.0/24, 2001:db8::/32'
 *     orla kv delete deny-list deny
 *
 * It holds for the next request on every worker. An entry that is no address is told in the log, and the list before stays in
 * force: a slip of the pen neither locks everybody out nor lets everybody in.
 *
 * Environment: `MESSAGE`, what who is refused is told (`forbidden`).
 */
import type { Unit } from 'orla'
import { contains, type Network, parseAddress, parseNetworks } from './shared/networks.ts'

export default {
  kv: 'deny-list',
  // Before units that cost more.
  priority: 100,
  async access(request, response, edge) {
    const list = (await edge.kv.get('deny')) ?? ''
    if (list !== compiled.list) compiled = { list, networks: readList(list, edge.log.error) }
    const address = parseAddress(edge.client.address)
    if (address === undefined) throw new Error(`the client's address "${edge.client.address}" is none`)
    if (compiled.networks.some((network) => contains(network, address))) {
      return new Response(`${edge.env.MESSAGE ?? 'forbidden'}\n`, {
        status: 403,
        headers: { 'content-type': 'text/plain', 'cache-control': 'no-store' },
      })
    }
  },
} satisfies Unit

/** The list is taken apart when it has changed, not at every request. */
let compiled: { readonly list: string; readonly networks: readonly Network[] } = { list: '', networks: [] }

function readList(list: string, tell: (message: string) => void): readonly Network[] {
  try {
    return parseNetworks(list, 'the list')
  } catch (error) {
    tell(`${(error as Error).message}; the list before stays in force`)
    return compiled.networks
  }
}
