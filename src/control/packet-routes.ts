/** The row of the admin API about the packet plane. */
import { EdgeError } from '../base/errors.ts'
import { PacketShape } from './packet-shapes.ts'
import type { Route } from './routes.ts'

const TOP_MAX = 500

export const PACKET_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/packet',
    summary:
      'The packet plane of this node: its interfaces and modes, and what it has counted and dropped since it began.',
    query: { top: `how many of the busiest destination ports: 1 to ${TOP_MAX}, none unless said` },
    answer: PacketShape,
    access: 'read',
    handle: ({ node, query }) => node.packet(topOf(query.get('top'))),
  },
]

function topOf(text: string | null): number {
  if (text === null) return 0
  const top = Number(text)
  if (!/^\d+$/.test(text) || top < 1 || top > TOP_MAX)
    throw new EdgeError('request-invalid', `top=${text}: expected a number from 1 to ${TOP_MAX}`)
  return top
}
