/** `orla restore`: units and sites as they were, or a data directory from a backup. */
import { resolve } from 'node:path'
import { restoreBackup } from '../../backup/restore.ts'
import { parseDuration } from '../../base/quantity.ts'
import type { RestoreResult } from '../../control/store-shapes.ts'
import { type Arguments, UsageError } from '../arguments.ts'
import { callTimeoutMs, changeWait, tellChange } from '../change.ts'
import {
  CHANGE_OPTIONS,
  type Command,
  CONTROL_OPTIONS,
  EXIT,
  type ExitCode,
  JSON_OPTION,
  type Terminal,
} from '../command.ts'
import { ControlClient } from '../control-client.ts'
import { progressTo } from '../progress.ts'

export const command: Command = {
  name: 'restore',
  operands: '[FILE]',
  operandsMin: 0,
  operandsMax: 1,
  text: [
    'With --at: units and sites become what they were at a position of the log, or at a time, while everything runs. It is a new change at the end of the log: live on all workers and edges at one moment, refused as a whole where something of it does not run, and undone by going to the position before it. Tokens and certificates are not restored: one that was revoked, or taken away, stays so. Versions of units keep their numbers, and new ones go on counting.',
    'With FILE: makes a data directory of what `orla backup` wrote. Every part is checked against its hash, and the log against its own, before anything takes its place. The folder has to be empty, or not there.',
  ].join('\n'),
  options: {
    at: {
      value: 'ID|TIME',
      text: 'a position (`orla log` lists them), a time as 2026-11-27T20:00:00Z, or "10m ago"',
    },
    'dry-run': { text: 'with --at: only says what would change' },
    to: { value: 'FOLDER', text: 'with FILE: the data directory to make' },
    ...CHANGE_OPTIONS,
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    ['orla restore --at "10m ago" --dry-run', 'what would change'],
    ['orla restore --at 120', 'units and sites as they were at position 120'],
    ['orla restore nightly.tar --to data', 'then `orla start`'],
  ],
  exits: {
    1: 'refused: nothing is kept of then, or it does not run; FILE is damaged, cut or of a newer version, or FOLDER is not empty or in use; nothing was restored',
    2: 'with --at: not live everywhere in time',
  },
  run: async (args, terminal) => {
    const [at, file] = [args.text('at'), args.operands[0]]
    if ((at === undefined) === (file === undefined)) throw new UsageError('give either FILE or --at')
    return at === undefined ? fromBackup(args, terminal, file!) : fromLog(args, terminal, pointFrom(at))
  },
}

/** An id, or a time as the API takes it. */
export function pointFrom(text: string, nowMs = Date.now()): number | string {
  if (/^\d+$/.test(text)) return Number(text)
  const ago = parseDuration(text.replace(/\s*ago$/, ''))
  if (ago !== undefined) return new Date(nowMs - ago).toISOString()
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN
  if (Number.isFinite(ms)) return new Date(ms).toISOString()
  throw new UsageError(`--at takes an id, a time as 2026-11-27T20:00:00Z, or "10m ago", not "${text}"`)
}

async function fromLog(args: Arguments, terminal: Terminal, at: number | string): Promise<ExitCode> {
  const waiting = changeWait(args)
  const dryRun = args.flag('dry-run')
  const result = (await ControlClient.from(args, terminal).call('POST', '/v1/restore', {
    body: { at, dryRun, ...waiting },
    timeoutMs: callTimeoutMs(waiting),
  })) as RestoreResult
  const { to, from, live, ms } = result
  const what = changesText(result)
  const line = dryRun
    ? `position ${to}: ${what === '' ? 'nothing would change' : what}`
    : `restored position ${to}: ${what === '' ? 'nothing changed' : what}; live on ${live.workers}/${live.of} workers in ${Math.round(ms)} ms`
  tellChange(args, terminal, result, line)
  if (!dryRun && what !== '' && !args.flag('json'))
    terminal.note(`tokens are as they were; \`orla restore --at ${from}\` takes it back`)
  return EXIT.done
}

function changesText({ units, sites, unitsEnabled }: RestoreResult): string {
  const list = (what: string, { added, changed, removed }: RestoreResult['units']) =>
    Object.entries({ added, changed, removed }).flatMap(([verb, names]) =>
      names.length === 0 ? [] : [`${verb} ${what} ${names.join(', ')}`],
    )
  const switched = unitsEnabled === undefined ? [] : [`all units ${unitsEnabled ? 'on again' : 'off'}`]
  return [...list('units', units), ...list('sites', sites), ...switched].join('; ')
}

async function fromBackup(args: Arguments, terminal: Terminal, file: string): Promise<ExitCode> {
  const to = args.text('to')
  if (to === undefined) throw new UsageError('--to FOLDER is missing')
  const folder = resolve(terminal.cwd, to)
  const manifest = await restoreBackup(resolve(terminal.cwd, file), folder, progressTo(terminal, 'restored'))
  if (args.flag('json')) {
    terminal.print(JSON.stringify({ folder: to, ...manifest }))
    return EXIT.done
  }
  const names = manifest.parts.map(({ name }) => name).join(', ')
  terminal.print(`${to}: position ${manifest.position.id}, ${names}`)
  if (!manifest.withKeys) {
    terminal.note(
      'no keys were in it: put orla.key back where secrets of units or keys of certificates are to be read',
    )
  }
  return EXIT.done
}
