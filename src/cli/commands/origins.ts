/** `orla origins`: how the servers behind the edge do. */
import type { EndpointSummary, OriginSummary } from '../../control/origin-shapes.ts'
import { type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION } from '../command.ts'
import { ControlClient } from '../control-client.ts'
import { table } from '../help.ts'

export const command: Command = {
  name: 'origins',
  operands: '[SITE]',
  operandsMin: 0,
  operandsMax: 1,
  text: [
    'Tells of each endpoint whether it takes requests, and how many of the workers see it so: each checks, and counts failures, by itself. The numbers are sums over the workers, since they started or the site changed.',
    '`up`: takes requests. `down`: its checks fail. `ejected`: left out for a while because requests failed. `leaving`: its name has this address no more. SHARE is the part of its weight that counts now: less while it starts slowly.',
  ].join('\n'),
  options: { ...CONTROL_OPTIONS, ...JSON_OPTION },
  examples: [
    ['orla origins', 'of all sites'],
    ['orla origins tv.example.com --json', 'of one, for a script'],
  ],
  exits: { 1: 'there is no such site, or the control plane does not answer' },
  run: async (args, terminal) => {
    const client = ControlClient.from(args, terminal)
    const all = (await client.call('GET', '/v1/origins')) as OriginSummary[]
    const [site] = args.operands
    const found = site === undefined ? all : all.filter((origin) => origin.site === site)
    // It may be new. Of one that is not there the control plane says so.
    if (site !== undefined && found.length === 0)
      await client.call('GET', `/v1/sites/${encodeURIComponent(site)}`)
    terminal.print(args.flag('json') ? JSON.stringify(found) : listText(found))
    return EXIT.done
  },
}

function listText(origins: readonly OriginSummary[]): string {
  const rows = origins.flatMap(({ site, endpoints }) => endpoints.map((one) => [site, ...rowOf(one)]))
  const lost = origins.flatMap(({ site, unresolved }) =>
    unresolved.map(({ name, reason }) => `${site}: the name ${name} cannot be resolved: ${reason}`),
  )
  const alone = origins
    .filter(({ circuit = 'closed' }) => circuit !== 'closed')
    .map(({ site, circuit }) => `${site}: its circuit breaker is ${circuit}`)
  if (rows.length + lost.length === 0) return 'no endpoints'
  const heads = ['SITE', 'ENDPOINT', 'STATE', 'SHARE', 'ACTIVE', 'WAITING', 'REQUESTS', 'ERRORS', 'REASON']
  return [...(rows.length > 0 ? [table(heads, rows)] : []), ...lost, ...alone].join('\n')
}

function rowOf(one: EndpointSummary): string[] {
  const { endpoint, address, state, up, of, share, weight, backup, full, active, waiting } = one
  const views = state === 'up' || up === 0 ? '' : ` (up on ${up} of ${of})`
  return [
    endpoint.endsWith(`//${address}`) ? endpoint : `${endpoint} ${address}`,
    `${state}${views}${backup ? ', backup' : ''}${full === undefined ? '' : `, full (${full})`}`,
    share === weight ? String(weight) : `${share} of ${weight}`,
    String(active),
    String(waiting),
    String(one.requests),
    String(one.errors),
    one.reason ?? '',
  ]
}
