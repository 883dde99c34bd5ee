/** The rows of the admin API about DNS. */
import { SteeredShape } from './dns-shapes.ts'
import type { Route } from './routes.ts'

export const DNS_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/dns/steer',
    summary:
      'How a client is answered just now that asks for a steered name (plugin `edge`), and why: for each server block that has the name; none, where no clients are steered there.',
    query: {
      name: 'that is steered: `cdn.example.org`',
      client: 'its address, or a prefix: `203.0.113.7`, `203.0.113.0/24`',
    },
    answer: [SteeredShape],
    access: 'read',
    handle: ({ node, query }) => node.steer(query.get('name') ?? '', query.get('client') ?? ''),
  },
]
