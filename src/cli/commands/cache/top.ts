/** `orla cache top`: the objects that are asked for most. */
import type { TopObjectSummary } from '../../../control/cache-shapes.ts'
import { type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION } from '../../command.ts'
import { ControlClient } from '../../control-client.ts'
import { table } from '../../help.ts'
import { printable } from '../../tail-text.ts'
import { bytesText, secondsText } from './cache-text.ts'

export const command: Command = {
  name: 'cache top',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  text: [
    'Lists the objects of the caches that are hit most, with the keys that they are kept under. Sums over the workers of this node, since they started or the cache of the site changed.',
    'Only a share of hits is counted (`topSample` of a site), so the numbers are estimates. HITS may be too high by what stands behind the minus. AGE and TTL are as the last hit that was counted saw the object.',
  ].join('\n'),
  options: {
    site: { value: 'SITE', text: 'of this site alone' },
    count: { value: 'N', text: 'how many: 1 to 500, 20 unless said' },
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    ['orla cache top', 'the first 20'],
    ['orla cache top --site tv.example.com --count 100 --json', 'a hundred of one site, for a script'],
  ],
  exits: { 1: 'there is no such site, or the control plane does not answer' },
  run: async (args, terminal) => {
    const query = { site: args.text('site'), count: args.text('count') }
    const client = ControlClient.from(args, terminal)
    const objects = (await client.call('GET', '/v1/cache/top', { query })) as TopObjectSummary[]
    terminal.print(args.flag('json') ? JSON.stringify(objects) : topText(objects))
    return EXIT.done
  },
}

const KEY_SHOWN = 200

export function topText(objects: readonly TopObjectSummary[]): string {
  if (objects.length === 0) return 'no hits were counted'
  const rows = objects.map(({ site, key, hits, excess, bytes, ageSeconds, ttlSeconds }) => [
    site,
    excess === 0 ? String(hits) : `${hits} -${excess}`,
    bytesText(bytes),
    secondsText(ageSeconds),
    secondsText(ttlSeconds),
    shown(key),
  ])
  return table(['SITE', 'HITS', 'BYTES', 'AGE', 'TTL', 'KEY'], rows)
}

function shown(key: string): string {
  const line = printable(key).replaceAll('\n', '\uFFFD')
  return line.length > KEY_SHOWN ? `${line.slice(0, KEY_SHOWN)}…` : line
}
