/** `orla import`: takes units over once from where others keep them. */
import type { UnitSummary } from '../../control/shapes.ts'
import { systemClock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import { redisAddress, shownUrl } from '../../config/redis-address.ts'
import { type FoundUnit, understand } from '../../source/reading.ts'
import { readLayout, type SourceEntry } from '../../source/redis-layout.ts'
import { RedisLink } from '../../source/redis-link.ts'
import { type Arguments, UsageError } from '../arguments.ts'
import { callTimeoutMs, changeWait, type ChangeWait, exitOf } from '../change.ts'
import {
  CHANGE_OPTIONS,
  type Command,
  CONTROL_OPTIONS,
  EXIT,
  type ExitCode,
  JSON_OPTION,
} from '../command.ts'
import { ControlClient, ControlRefusal } from '../control-client.ts'

export const command: Command = {
  name: 'import',
  operands: 'redis URL',
  operandsMin: 2,
  operandsMax: 2,
  text: [
    'Reads the units that lie in a Redis as strings `phase||code`, whose names stand in a set or a sorted set, and deploys them. This machine reads it, the node need not reach it.',
    'A unit that somebody deployed, or that follows a source, is not changed. Lua is named and kept aside. To follow a Redis, configure it as a source: units that are imported once have no `redis_client`.',
  ].join('\n'),
  options: {
    set: { value: 'KEY', text: 'the set with the names of units; coding_units unless said' },
    'on-error': {
      value: 'POLICY',
      text: '`closed`, `open` or `lastGood`, where the unit does not say so itself; open unless said',
    },
    'dry-run': { text: 'tell what would be done, and do nothing' },
    ...CHANGE_OPTIONS,
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    ['orla import redis redis://10.0.0.7:6379', 'all units of the set coding_units'],
    ['orla import redis redis://10.0.0.7:6379 --dry-run', 'tells what that would do'],
  ],
  exits: {
    1: 'a unit was refused, or Redis or the control plane does not answer',
    2: 'stored, but not live everywhere in time',
  },
  run: async (args, terminal) => {
    const { url, set, onError } = given(args)
    const wait = changeWait(args)
    const entries = await readAll(url, set)
    const { units, leftOut } = understand(entries, onError)
    const control = ControlClient.from(args, terminal)
    const live = new Map(
      ((await control.call('GET', '/v1/units')) as UnitSummary[]).map((unit) => [unit.name, unit]),
    )
    const plan: Way = { control, live, wait, isDry: args.flag('dry-run'), source: `${shownUrl(url)}#${set}` }
    const outcomes: Outcome[] = leftOut.map(({ name, unit, state, reason }) => ({
      name,
      unit,
      state,
      reason,
    }))
    for (const unit of units) outcomes.push(await importOne(unit, plan))
    outcomes.sort((a, b) => (a.name < b.name ? -1 : 1))
    if (args.flag('json')) terminal.print(JSON.stringify(outcomes))
    else for (const outcome of outcomes) terminal.print(lineOf(outcome))
    if (entries.length === 0) terminal.note(`there is no set \`${set}\``)
    return exitFor(outcomes)
  },
}

interface Outcome {
  readonly name: string
  readonly unit: string
  readonly state: 'imported' | 'would be imported' | 'unchanged' | 'aside' | 'refused' | 'late'
  readonly reason?: string
  readonly version?: number
  /** What of it will not work. */
  readonly warning?: string
}

interface Way {
  readonly control: ControlClient
  readonly live: ReadonlyMap<string, UnitSummary>
  readonly wait: ChangeWait
  readonly isDry: boolean
  readonly source: string
}

function given(args: Arguments) {
  const [kind, url = ''] = args.operands
  if (kind !== 'redis') throw new UsageError(`import takes \`redis\` and a URL, not \`${kind}\``)
  const isUrl = URL.canParse(url) && ['redis:', 'rediss:'].includes(new URL(url).protocol)
  if (!isUrl || redisAddress(url).host === '')
    throw new UsageError('expected a URL such as redis://10.0.0.7:6379')
  const set = args.text('set') ?? 'coding_units'
  return { url, set, onError: args.choice('on-error', ['closed', 'open', 'lastGood']) ?? 'open' }
}

async function readAll(url: string, set: string): Promise<readonly SourceEntry[]> {
  const link = new RedisLink({ url: [url], timeout: 10_000 }, systemClock)
  try {
    return await readLayout(link, set)
  } finally {
    link.close()
  }
}

async function importOne(found: FoundUnit, way: Way): Promise<Outcome> {
  const { name, unit, hash, usesRedis } = found
  const told = {
    name,
    unit,
    ...(usesRedis && { warning: 'it uses `redis_client`, which only units of a source have' }),
  }
  const live = way.live.get(unit)
  const { origin } = live ?? {}
  if (live && origin === undefined)
    return { ...told, state: 'refused', reason: `a unit ${unit} was deployed by hand, and stays as it is` }
  if (origin?.kind === 'source')
    return { name, unit, state: 'unchanged', reason: `it follows the source ${origin.source}` }
  if (origin?.hash === hash && origin.name === name) return { ...told, state: 'unchanged' }
  if (way.isDry) return { ...told, state: 'would be imported' }
  const { source, manifest, defaults } = found
  const imported = { source: way.source, name, hash, defaults }
  const body = { source, language: 'js', entry: `${unit}.js`, manifest, imported, ...way.wait }
  try {
    const options = { body, timeoutMs: callTimeoutMs(way.wait) }
    const { version } = (await way.control.call('PUT', `/v1/units/${unit}`, options)) as { version: number }
    return { ...told, state: 'imported', version }
  } catch (error) {
    if (!(error instanceof ControlRefusal)) throw error
    const state = exitOf(error) === EXIT.notFinished ? 'late' : 'refused'
    return { ...told, state, reason: reasonOf(error) }
  }
}

const reasonOf = (error: EdgeError): string => error.message

function lineOf({ name, unit, state, reason, warning, version }: Outcome): string {
  const shown = JSON.stringify(name).slice(1, -1)
  const called = unit === name ? shown : `${shown} as ${unit}`
  const what = version === undefined ? `${state} ${called}` : `${state} ${called} ${version}`
  const why = [reason, warning].filter((text) => text !== undefined).join('; ')
  return why === '' ? what : `${what}: ${why}`
}

function exitFor(outcomes: readonly Outcome[]): ExitCode {
  if (outcomes.some(({ state }) => state === 'refused')) return EXIT.refused
  return outcomes.some(({ state }) => state === 'late') ? EXIT.notFinished : EXIT.done
}
