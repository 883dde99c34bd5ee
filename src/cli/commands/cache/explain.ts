/** `orla cache explain`: what the cache makes of a URL. */
import type { CacheExplained } from '../../../control/cache-shapes.ts'
import { type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION } from '../../command.ts'
import { ControlClient } from '../../control-client.ts'
import { table } from '../../help.ts'
import { printable } from '../../tail-text.ts'
import { bytesText, secondsText } from './cache-text.ts'

export const command: Command = {
  name: 'cache explain',
  operands: 'URL',
  operandsMin: 1,
  operandsMax: 1,
  text: [
    'Tells which site answers for URL, what its answer is kept under, what the origin would be asked for, and what stands in memory under that key: each worker has a memory of its own.',
    'Nothing is asked of the origin, and units do not run: what they change of a request, and the keys that they make, are not seen here. `orla dev`, and `Cache-Status` with the debug token, show the key that a request had.',
  ].join('\n'),
  options: {
    header: { value: "'NAME: VALUE'", many: true, text: 'a header of the request' },
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    ['orla cache explain https://www.example.com/a?page=2', 'its key, and what is stored'],
    [
      "orla cache explain https://www.example.com/a --header 'Cookie: lang=de'",
      'where headers or cookies are in the key',
    ],
  ],
  exits: { 1: 'no site answers for it, or the control plane does not answer' },
  run: async (args, terminal) => {
    const query = new URLSearchParams([['url', args.operands[0]!]])
    for (const header of args.all('header')) query.append('header', header)
    const client = ControlClient.from(args, terminal)
    const explained = (await client.call('GET', `/v1/cache/explain?${query}`)) as CacheExplained
    terminal.print(args.flag('json') ? JSON.stringify(explained) : explainText(explained))
    return EXIT.done
  },
}

export function explainText({ site, key, target, workers }: CacheExplained): string {
  if (key === undefined) return `${site} has no cache`
  const facts = [`site    ${site}`, `key     ${line(key)}`, `origin  GET ${line(target ?? '')}`]
  const rows = workers.flatMap((stored, worker) =>
    stored.map(({ status, ageSeconds, ttlSeconds, bytes, tags, vary }) => [
      String(worker + 1),
      String(status),
      secondsText(ageSeconds),
      secondsText(ttlSeconds),
      bytesText(bytes),
      line(tags.join(',')),
      line(vary.join('; ')),
    ]),
  )
  if (rows.length === 0) return [...facts, '', 'nothing is stored in memory'].join('\n')
  return [...facts, '', table(['WORKER', 'STATUS', 'AGE', 'TTL', 'BYTES', 'TAGS', 'VARY'], rows)].join('\n')
}

const line = (text: string): string => printable(text).replaceAll('\n', '\uFFFD')
