/** `orla certificates`: those of the log, which every node serves. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { EdgeError } from '../../base/errors.ts'
import type { CertificateChange, CertificateInfo } from '../../control/certificate-shapes.ts'
import { type Arguments, UsageError } from '../arguments.ts'
import { callTimeoutMs, changeWait, tellChange } from '../change.ts'
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

export const command: Command = {
  name: 'certificates',
  operands: '[list | set NAME | remove NAME]',
  operandsMin: 0,
  operandsMax: 2,
  text: [
    'Lists the certificates of the log, sets one, or removes one. All nodes of a control plane serve them, from the moment in which they are set, with no connection dropped. The key is sealed in the log, and never shown.',
    'A client gets the one whose names, read from the certificate, fit the name it asks for: those of files in the configuration of a node first, then those that were set here, then those from the ACME authority. NAME is a word for it, such as the first of its names.',
    'One from the ACME authority lies under the name that it is for. To set another one under that name is to go without the authority; to remove it is to have it ask anew.',
  ].join('\n'),
  options: {
    cert: { value: 'FILE', text: 'set: PEM with the certificate, then those between it and its authority' },
    key: { value: 'FILE', text: 'set: PEM with its private key' },
    force: { text: 'set: also where it has expired' },
    ...CHANGE_OPTIONS,
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    ['orla certificates', 'which there are, and until when'],
    ['orla certificates set tv.example.com --cert tv.pem --key tv.key', 'sets one, or the next one, live'],
    ['orla certificates remove tv.example.com', 'it is served no more'],
  ],
  exits: {
    1: 'refused: it cannot be used, has expired, or is not there; nothing was changed',
    2: 'not live everywhere in time',
  },
  run: async (args, terminal) => {
    const [form = 'list', name, ...more] = args.operands
    const control = ControlClient.from(args, terminal)
    if (form === 'list' && name === undefined) {
      const all = (await control.call('GET', '/v1/certificates')) as CertificateInfo[]
      terminal.print(args.flag('json') ? JSON.stringify(all) : listText(all))
      return EXIT.done
    }
    if ((form !== 'set' && form !== 'remove') || name === undefined || more.length > 0) {
      throw new UsageError(`certificates takes list, set NAME, remove NAME, not "${args.operands.join(' ')}"`)
    }
    const waiting = changeWait(args)
    const body = form === 'set' ? { ...pairFrom(args, terminal), ...waiting } : waiting
    const change = (await control.call(
      form === 'set' ? 'PUT' : 'DELETE',
      `/v1/certificates/${encodeURIComponent(name)}`,
      { body, timeoutMs: callTimeoutMs(waiting) },
    )) as CertificateChange
    tellChange(args, terminal, change, changeText(form, change))
    return EXIT.done
  },
}

function pairFrom(args: Arguments, terminal: Terminal): object {
  const [cert, key] = ['cert', 'key'].map((name) => {
    const file = args.text(name)
    if (file === undefined) throw new UsageError(`set needs --${name} FILE`)
    return readText(resolve(terminal.cwd, file), file)
  })
  return { cert, key, ...(args.flag('force') && { force: true }) }
}

function readText(path: string, name: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new EdgeError('file-unreadable', `${name} cannot be read: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

function changeText(form: 'set' | 'remove', { certificate, live, ms }: CertificateChange): string {
  const { name, names, notAfter } = certificate
  const what =
    form === 'set' ? `set ${name} (${names.join(', ')}) until ${dayOf(notAfter)}` : `removed ${name}`
  return `${what}: live on ${live.workers}/${live.of} workers in ${Math.round(ms)} ms`
}

function listText(all: readonly CertificateInfo[]): string {
  if (all.length === 0)
    return 'no certificates in the log; `orla certificates set NAME --cert FILE --key FILE` sets one'
  return table(
    ['NAME', 'FROM', 'STATE', 'UNTIL', 'FOR'],
    all.map(({ name, source, state, notAfter, names, problem }) => [
      name,
      source === 'acme' ? 'ACME' : 'operator',
      problem === undefined ? state : `${state}: ${problem}`,
      dayOf(notAfter),
      names.join(', '),
    ]),
  )
}

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)
