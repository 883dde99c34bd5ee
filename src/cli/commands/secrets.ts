/** `orla secrets`: the secrets of units, by name alone, and the key that they are sealed with. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { EdgeError } from '../../base/errors.ts'
import type { SecretRotation } from '../../control/access-shapes.ts'
import type { ChangeResult, UnitSummary } from '../../control/shapes.ts'
import { rotateStopped } from '../../supervisor/store/stopped-rotation.ts'
import { type Arguments, UsageError } from '../arguments.ts'
import { callTimeoutMs, changeWait, deployedLine, tellChange } from '../change.ts'
import {
  CHANGE_OPTIONS,
  type Command,
  CONTROL_OPTIONS,
  EXIT,
  JSON_OPTION,
  type Terminal,
} from '../command.ts'
import { ControlClient } from '../control-client.ts'
import { table } from '../help.ts'

const FORMS = 'list, set UNIT KEY, delete UNIT KEY, rotate'

export const command: Command = {
  name: 'secrets',
  operands: '[list | set UNIT KEY | delete UNIT KEY | rotate]',
  operandsMin: 0,
  operandsMax: 3,
  text: [
    'Lists the secrets of units, by name alone; sets or deletes one, which makes a new version of the unit; or changes the key that all are sealed with. `set` reads the value from --file, or from standard input: a value on the command line would stand in the history of the shell.',
    '`rotate` seals all secrets, and the keys of certificates in the log, with another key, at once or not at all, while the node runs; nothing that is live changes. The new key is that of --key, else the one in ORLA_SECRET_KEY where this command finds it, else one that the node makes and keeps in orla.key. A node that has its key from ORLA_SECRET_KEY has to be started with the new one from then on.',
    'With --data the node is not asked, and has to be stopped: the key of before is in ORLA_SECRET_KEY or orla.key, as for `orla start`.',
    'Where the key of before is lost, a node that has secrets does not start. --replace-lost, with --data, puts a text that nobody knows in the place of each secret that does not open, and names it: start the node, and set these anew.',
    'The log of the store is sealed anew, too. Backups from before are not: where the key before is in wrong hands, set the secrets anew as well.',
  ].join('\n'),
  options: {
    file: { value: 'FILE', text: 'set: the value is what this file holds' },
    key: { value: 'FILE', text: 'rotate: a file with the new key, 32 bytes in hex or base64' },
    data: { value: 'FOLDER', text: 'rotate: the data directory of a node that is stopped' },
    'replace-lost': {
      text: 'rotate --data: go on without the secrets that do not open with the key of before',
    },
    ...CHANGE_OPTIONS,
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    ['orla secrets', 'which unit has which'],
    ['orla secrets set token-auth TOKEN < token.txt', 'sets one, live'],
    ['orla secrets rotate', 'another key, made by the node'],
    ['orla secrets rotate --data data --replace-lost', 'the key is lost: the rest of the data is not'],
    ['openssl rand -hex 32 > new.key && orla secrets rotate --key new.key', 'a key of your own'],
  ],
  exits: {
    1: 'refused: no such unit or secret, no key, or a secret does not open with the key of before; nothing was changed',
    2: 'not live everywhere in time',
  },
  run: async (args, terminal) => {
    const [form = 'list', unit, key, ...more] = args.operands
    if (form === 'rotate' && unit === undefined) return rotate(args, terminal)
    if (form === 'list' && unit === undefined) return list(args, terminal)
    if ((form === 'set' || form === 'delete') && key !== undefined && more.length === 0) {
      const value = form === 'delete' ? null : readValue(args, terminal)
      return setSecret(args, terminal, unit!, key, value)
    }
    throw new UsageError(`secrets takes ${FORMS}, not "${args.operands.join(' ')}"`)
  },
}

async function list(args: Arguments, terminal: Terminal): Promise<number> {
  const units = (await ControlClient.from(args, terminal).call('GET', '/v1/units')) as UnitSummary[]
  const found = units.flatMap(({ name, secrets }) => secrets.map((key) => ({ unit: name, key })))
  if (args.flag('json')) terminal.print(JSON.stringify(found))
  else if (found.length === 0) terminal.print('no secrets; `orla secrets set UNIT KEY` sets one')
  else
    terminal.print(
      table(
        ['UNIT', 'SECRET'],
        found.map(({ unit, key }) => [unit, key]),
      ),
    )
  return EXIT.done
}

async function setSecret(
  args: Arguments,
  terminal: Terminal,
  unit: string,
  key: string,
  value: string | null,
): Promise<number> {
  const control = ControlClient.from(args, terminal)
  const path = `/v1/units/${encodeURIComponent(unit)}`
  if (value === null) {
    const { secrets } = (await control.call('GET', path)) as UnitSummary
    if (!secrets.includes(key)) {
      throw new EdgeError('request-invalid', `${unit} has no secret ${key}`, {
        hint: secrets.length === 0 ? 'it has none' : `it has ${secrets.join(', ')}`,
      })
    }
  }
  const waiting = changeWait(args)
  const options = { body: { ...waiting, secrets: { [key]: value } }, timeoutMs: callTimeoutMs(waiting) }
  const result = (await control.call('PUT', `${path}/env`, options)) as ChangeResult
  tellChange(args, terminal, result, deployedLine(result))
  return EXIT.done
}

async function rotate(args: Arguments, terminal: Terminal): Promise<number> {
  const file = args.text('key')
  const data = args.text('data')
  const found = terminal.env['ORLA_SECRET_KEY'] || undefined
  const given = file === undefined ? undefined : readText(resolve(terminal.cwd, file), file)
  const replaceLost = args.flag('replace-lost')
  if (replaceLost && data === undefined)
    throw new UsageError('--replace-lost needs --data FOLDER: a node that runs has its key')
  const result =
    data === undefined
      ? { ...(await rotateLive(args, terminal, given ?? found)), lost: [] }
      : await rotateStopped(resolve(terminal.cwd, data), found, given, { replaceLost })
  if (args.flag('json')) terminal.print(JSON.stringify(result))
  else {
    const { secrets, versions, certificates, key } = result
    const keys = certificates === 0 ? '' : ` and ${certificates} keys of certificates`
    terminal.print(`sealed ${secrets} secrets of ${versions} versions${keys} anew, with the key ${key}…`)
    for (const name of result.lost) terminal.print(`lost: ${name}; set it anew`)
  }
  return EXIT.done
}

async function rotateLive(
  args: Arguments,
  terminal: Terminal,
  key: string | undefined,
): Promise<SecretRotation> {
  const body = key === undefined ? {} : { key }
  return (await ControlClient.from(args, terminal).call('POST', '/v1/secrets/rotate', {
    body,
  })) as SecretRotation
}

/** Without the end of the last line, which editors and `echo` add. */
function readValue(args: Arguments, terminal: Terminal): string {
  const file = args.text('file')
  const text =
    file === undefined ? readText(0, 'standard input') : readText(resolve(terminal.cwd, file), file)
  return text.replace(/\r?\n$/, '')
}

function readText(from: string | number, name: string): string {
  try {
    return readFileSync(from, 'utf8')
  } catch (error) {
    throw new EdgeError('file-unreadable', `${name} cannot be read: ${(error as Error).message}`, {
      cause: error,
    })
  }
}
