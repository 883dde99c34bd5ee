/**
 * Refuses clients by their address.
 *
 * Environment: `DENY`, addresses and networks with commas between them, IPv4 and IPv6:
 * `192.0.2.7, 198.51.100.0/24, 2001:db8::/32`. An entry that is neither is an error, told at every request: a list that is
 * quietly shorter than its author thinks would let in whom it should keep out.
 */
import type { Unit } from 'orla'
import { contains, type Network, parseAddress, parseNetworks } from './shared/networks.ts'

export default {
  access(request, response, edge) {
    const list = edge.env.DENY ?? ''
    if (list !== compiled.list) compiled = { list, networks: parseNetworks(list, 'DENY') }
    const address = parseAddress(edge.client.address)
    if (address === undefined) throw new Error(`the client's address "${edge.client.address}" is none`)
    if (compiled.networks.some((network) => contains(network, address))) {
      return new Response('forbidden\n', { status: 403, headers: { 'content-type': 'text/plain' } })
    }
  },
} satisfies Unit

/** The list is taken apart once, not at every request. */
let compiled: { readonly list: string; readonly networks: readonly Network[] } = { list: '', networks: [] }
