/** `orla purge`: takes answers out of the caches of all nodes. */
import type { PurgeResult } from '../../control/purge-shapes.ts'
import { type Arguments, UsageError } from '../arguments.ts'
import { callTimeoutMs, changeWait } from '../change.ts'
import { CHANGE_OPTIONS, type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION } from '../command.ts'
import { ControlClient } from '../control-client.ts'

const { wait, timeout } = CHANGE_OPTIONS

export const command: Command = {
  name: 'purge',
  operands: '[URL…]',
  operandsMin: 0,
  operandsMax: Infinity,
  text: [
    'Takes answers out of the caches of all nodes: those of URLs, with all their variants; those whose URL begins with a prefix; those that bear a tag (`Cache-Tag`, `Surrogate-Key`, `Cache-Groups`, or `response.tags` of a unit); all that a site keeps; or everything. What is named together goes together.',
    'When it has ended, nobody is given what is from before it, on any node that was waited for; not even an answer that was on its way from the origin then is kept. An edge that is away does the same before it serves anything from its disk again.',
    'With --soft they are stale instead of gone: they may be served while they are refreshed, and where the origin fails, as far as the origin or the site allows that.',
  ].join('\n'),
  options: {
    prefix: { value: 'URL', many: true, text: 'what URLs begin with, such as https://example.com/news/*' },
    tag: { value: 'TAG', many: true, text: 'a tag; may be given several times' },
    site: { value: 'NAME', text: 'only of what this site keeps; alone, all of that' },
    everything: { text: 'all that is kept of all sites: every next request goes to its origin' },
    soft: { text: 'it is stale from now on, and not gone' },
    wait,
    timeout,
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    ['orla purge https://example.com/news/1', 'one page, whatever it varies by'],
    ['orla purge --tag product-17 --tag front', 'all that bears one of the tags'],
    [
      "orla purge --prefix 'https://example.com/news/*' --soft",
      'a part of a site, refreshed as it is asked for',
    ],
    ['orla purge --site shop.example.com', 'all that the site keeps'],
  ],
  exits: {
    1: 'refused: nothing was purged',
    2: 'not past it everywhere in time; it is in the log, and goes on',
  },
  run: async (args, terminal) => {
    const scope = scopeFrom(args)
    const waiting = changeWait(args)
    const result = (await ControlClient.from(args, terminal).call('POST', '/v1/purge', {
      body: { ...scope, ...waiting },
      timeoutMs: callTimeoutMs(waiting),
    })) as PurgeResult
    const line = purgedLine(scope, result, waiting.wait === 'stored')
    terminal.print(args.flag('json') ? JSON.stringify(result) : line)
    const star = result.objects === 0 ? scope.urls?.find((url) => url.endsWith('*')) : undefined
    if (star !== undefined)
      terminal.note(`${star} was taken as a URL that ends with a star; did you mean --prefix '${star}'?`)
    return EXIT.done
  },
}

interface Scope {
  readonly urls?: readonly string[]
  readonly prefixes?: readonly string[]
  readonly tags?: readonly string[]
  readonly site?: string
  readonly everything?: true
  readonly soft?: true
}

function scopeFrom(args: Arguments): Scope {
  const [urls, prefixes, tags] = [args.operands, args.all('prefix'), args.all('tag')]
  const site = args.text('site')
  const isEverything = args.flag('everything')
  const isNamed = urls.length + prefixes.length + tags.length > 0 || site !== undefined
  if (isEverything && isNamed)
    throw new UsageError('--everything stands alone: without it, what is named is purged')
  if (!isEverything && !isNamed) throw new UsageError('give a URL, --prefix, --tag, --site or --everything')
  return {
    ...(urls.length > 0 && { urls }),
    ...(prefixes.length > 0 && { prefixes }),
    ...(tags.length > 0 && { tags }),
    ...(site !== undefined && { site }),
    ...(isEverything && { everything: true }),
    ...(args.flag('soft') && { soft: true }),
  }
}

/** Scripts read this line: keep its form. */
export function purgedLine(
  scope: Scope,
  { soft, objects, edges, live, ms }: PurgeResult,
  isStored = false,
): string {
  const what = `purged ${scopeText(scope)}${soft ? ' softly' : ''}`
  if (isStored) return `${what}: stored in ${Math.round(ms)} ms`
  // The node of the control plane keeps answers, too.
  const where = edges
    ? `on ${edges.live}/${edges.of} edges and ${live.workers}/${live.of} workers`
    : `on ${live.workers}/${live.of} workers`
  return `${what} ${where} in ${Math.round(ms)} ms (${count(objects, 'object')})`
}

function scopeText({ urls = [], prefixes = [], tags = [], site, everything }: Scope): string {
  if (everything) return 'everything'
  const parts = [
    urls.length > 0 ? count(urls.length, 'URL') : '',
    prefixes.length > 0 ? count(prefixes.length, 'prefix', 'prefixes') : '',
    tags.length > 0 ? count(tags.length, 'tag') : '',
  ].filter((part) => part !== '')
  if (parts.length === 0) return `the site ${site}`
  return parts.join(', ') + (site === undefined ? '' : ` of the site ${site}`)
}

const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`
