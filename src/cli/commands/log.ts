/** `orla log`: what was written to the store, entry by entry. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ShownEntry, StoreStatus } from '../../control/store-shapes.ts'
import { type Arguments, UsageError } from '../arguments.ts'
import { type Command, CONTROL_OPTIONS, EXIT, type Terminal } from '../command.ts'
import { ControlClient } from '../control-client.ts'
import { timeText } from './units.ts'

const PAGE = 1000
const LAST = 50
const FOLLOW_EVERY_MS = 500

export const command: Command = {
  name: 'log',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  text: [
    `Prints entries of the log of units, sites and tokens: id, time, SET or DELETE, key, and how large the value is. The last ${LAST}; with --from those from an id on.`,
    'How many are kept is said by `store.log.keep`; of those before, only what they added up to is left.',
  ].join('\n'),
  options: {
    from: { value: 'ID', text: 'from this entry on, to the end' },
    limit: { value: 'N', text: `how many at most; without --from the last N, ${LAST} unless said` },
    key: { value: 'PREFIX', text: 'only of keys that begin with this, such as unit/gate or site/' },
    follow: { text: 'go on with what comes, until Ctrl-C' },
    values: { text: 'print values, too; those of secrets are encrypted' },
    json: { text: 'print JSON, an entry a line' },
    ...CONTROL_OPTIONS,
  },
  examples: [
    ['orla log', 'the last changes'],
    ['orla log --from 120 --key unit/ --json', 'all of units since, for a script'],
    ['orla log --follow', 'changes as they come'],
  ],
  exits: { 1: 'these entries are not kept any more, or the token may not read them' },
  run: async (args, terminal) => {
    const from = args.number('from', 1, Number.MAX_SAFE_INTEGER)
    const limit = args.number('limit', 1, Number.MAX_SAFE_INTEGER)
    for (const [name, value] of Object.entries({ from, limit })) {
      if (value !== undefined && !Number.isInteger(value))
        throw new UsageError(`--${name} takes a whole number`)
    }
    const control = ControlClient.from(args, terminal)
    const query = { key: args.text('key'), values: String(args.flag('values')) }
    const read = async (more: object) =>
      (await control.call('GET', '/v1/log', { query: { ...query, ...more } })) as ShownEntry[]
    const print = printer(args, terminal)

    let next = from
    let left = limit ?? Infinity
    if (next === undefined && (limit ?? 0) > PAGE) {
      if (query.key !== undefined)
        throw new UsageError(`give --from where --key is to find more than ${PAGE}`)
      const { position, base } = await storeOf(control)
      next = Math.max(base.id, position.id - limit!) + 1
    }
    if (next === undefined) {
      const newest = await read({ last: Math.min(PAGE, limit ?? LAST) })
      newest.forEach(print)
      next = (newest.at(-1)?.id ?? (await storeOf(control)).position.id) + 1
      left = args.flag('follow') ? Infinity : 0
    }
    const stop = new AbortController()
    const onSignal = () => stop.abort()
    if (args.flag('follow')) process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
    while (left > 0 && !stop.signal.aborted) {
      const page = await read({ from: next, limit: Math.min(PAGE, left) })
      page.forEach(print)
      left -= page.length
      next = (page.at(-1)?.id ?? next - 1) + 1
      if (page.length > 0) continue
      if (!args.flag('follow')) break
      await sleep(FOLLOW_EVERY_MS, undefined, { signal: stop.signal }).catch(() => undefined)
    }
    return EXIT.done
  },
}

const storeOf = async (control: ControlClient) => (await control.call('GET', '/v1/store')) as StoreStatus

function printer(args: Arguments, terminal: Terminal): (entry: ShownEntry) => void {
  if (args.flag('json')) return (entry) => terminal.print(JSON.stringify(entry))
  return ({ id, at, operation, key, bytes, value }) => {
    const what = operation === 'SET' ? `${key}  ${bytes} B` : key
    const line = `${String(id).padStart(6)}  ${timeText(at)}  ${operation.padEnd(6)}  ${what}`
    terminal.print(value === undefined || value === '' ? line : `${line}\n        ${value}`)
  }
}
