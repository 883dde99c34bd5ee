/** `orla ban`: keeps addresses and prefixes out, on all nodes. */
import { BAN_MAX_MS, BAN_MIN_MS } from '../../contract/bans.ts'
import type { BanChanged } from '../../control/ban-shapes.ts'
import { UsageError } from '../arguments.ts'
import { callTimeoutMs, changeWait } from '../change.ts'
import { CHANGE_OPTIONS, type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION } from '../command.ts'
import { ControlClient } from '../control-client.ts'
import { timeText } from './units.ts'

const { wait, timeout } = CHANGE_OPTIONS

export const command: Command = {
  name: 'ban',
  operands: 'ADDRESS|PREFIX…',
  operandsMin: 1,
  operandsMax: Infinity,
  text: [
    'Keeps addresses and prefixes (`192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`) out of all nodes for a time: all of them or none. Their connections are reset as they come, before TLS; those that are open are closed; and a request whose client a trusted proxy names is answered 403.',
    'A ban outlives a restart, and ends by itself. One that is there already is replaced, also by a shorter one.',
    'Never banned are this machine, what `bans.never` names, `edge.trustedProxies`, and the addresses from which a node was controlled within a day: to ban one of these is refused, and a prefix around it is banned with a hole in it. A prefix shorter than /8 (/16 for IPv6) takes --force.',
  ].join('\n'),
  options: {
    for: { value: 'TIME', text: 'how long, from 1s to 366d; 10m where it is not said' },
    reason: { value: 'TEXT', text: 'why: `orla bans` shows it' },
    force: { text: 'also where it is a large part of all addresses' },
    wait,
    timeout,
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    ['orla ban 192.0.2.7', 'for ten minutes'],
    ["orla ban 192.0.2.0/24 2001:db8:7::/48 --for 1d --reason 'scraper'", 'two prefixes for a day'],
  ],
  exits: {
    1: 'refused: nothing was banned',
    2: 'not in force everywhere in time; it is in the log, and goes on',
  },
  run: async (args, terminal) => {
    const waiting = changeWait(args)
    const forMs = args.duration('for')
    if (forMs !== undefined && (forMs < BAN_MIN_MS || forMs > BAN_MAX_MS))
      throw new UsageError('--for takes a time from 1s to 366d')
    const reason = args.text('reason')
    const result = (await ControlClient.from(args, terminal).call('POST', '/v1/bans', {
      body: {
        prefixes: args.operands,
        ...(forMs !== undefined && { forMs }),
        ...(reason !== undefined && { reason }),
        ...(args.flag('force') && { force: true }),
        ...waiting,
      },
      timeoutMs: callTimeoutMs(waiting),
    })) as BanChanged
    if (args.flag('json')) {
      terminal.print(JSON.stringify(result))
      return EXIT.done
    }
    for (const line of bannedLines(result, waiting.wait === 'stored')) terminal.print(line)
    return EXIT.done
  },
}

/** Scripts read these lines: keep their form. */
export function bannedLines({ bans, ...settled }: BanChanged, isStored = false): readonly string[] {
  const lines = bans.map(({ prefix, until, holes, state }) => {
    const but = holes.length === 0 ? '' : `, but for ${holes.join(', ')}`
    const note = state === 'waiting' ? ' (on this node alone: its control plane does not answer)' : ''
    return `banned ${prefix} until ${timeText(until)}${but}${note}`
  })
  return [...lines, settledLine(settled, isStored)]
}

/** How far it has come. */
export function settledLine({ live, edges, ms }: Omit<BanChanged, 'bans'>, isStored: boolean): string {
  const took = `${Math.round(ms)} ms`
  if (isStored) return `stored in ${took}`
  const where = edges ? `${edges.live}/${edges.of} edges and ` : ''
  return `in force on ${where}${live.workers}/${live.of} workers after ${took}`
}
