/** `orla join`: adds an edge by one command, and runs it. */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { EdgeError } from '../../base/errors.ts'
import { checkConfig } from '../../config/check.ts'
import type { Config, ConfigInput } from '../../config/schema.ts'
import { type Arguments, UsageError } from '../arguments.ts'
import { type Command, EXIT, type Terminal } from '../command.ts'
import { asSuccessor, programOf, runNode, tellReady } from '../run-node.ts'

/** In the data directory: the token that the edge came with. */
const KEPT_TOKEN = 'edge.token'

export const command: Command = {
  name: 'join',
  operands: 'URL…',
  operandsMin: 1,
  operandsMax: 16,
  text: [
    'Runs an edge node that follows the control plane at URL: it takes what is live there, tells how far it is, prints the same `ready` line as `orla start`, and serves. Further URLs are control planes on the same engine, tried in turn.',
    'The token has the role `edge` (`orla tokens new NAME --role edge` makes one). It is kept in DIR, so a second start needs none; that one goes on from where DIR stands, also while the control plane is away.',
    'While it joins for the first time, a token that is wrong, has expired or has another role ends it at once; a control plane that cannot be reached is tried until --timeout, or without end.',
  ].join('\n'),
  options: {
    token: { value: 'TOKEN', text: 'its token; better in a file, as others on this machine see arguments' },
    'token-file': { value: 'FILE', text: 'a file with its token, read anew at each connect' },
    name: { value: 'NAME', text: 'how it is called, such as gru1; the name of the machine unless said' },
    listen: { value: 'ADDRESS', many: true, text: 'where it serves; 127.0.0.1:8080 unless said' },
    admin: {
      value: 'ADDRESS',
      text: 'where its own admin API and metrics are; a free port of 127.0.0.1 unless said',
    },
    path: { value: 'DIR', text: 'its data directory; ./data unless said' },
    group: { value: 'GROUP', many: true, text: 'a group that it belongs to' },
    workers: { value: 'N', text: 'how many workers it has' },
    ca: { value: 'FILE', text: 'the authorities to trust for https:// instead of the public ones' },
    timeout: { value: 'TIME', text: 'how long to try to join for the first time; without end unless said' },
    'write-config': {
      value: 'FILE',
      text: 'write the configuration for `orla start` instead of running it, and the token into a file beside it',
    },
  },
  examples: [
    ['orla join http://10.0.0.5:8081 --token-file edge.token --listen 0.0.0.0:80', 'adds this machine'],
    [
      'orla join http://127.0.0.1:8081 --token T --name b --listen 127.0.0.1:8090 --path b',
      'a second edge here',
    ],
    ['orla join http://10.0.0.5:8081 --token T --write-config orla.config.json', 'then `orla start`'],
  ],
  exits: { 1: 'the control plane refuses it, is not reached within --timeout, or a port or DIR is in use' },
  run: async (args, terminal) => {
    const written = args.text('write-config')
    if (written !== undefined) return writeConfig(args, terminal, written)
    const { cwd, env } = terminal
    const directory = resolve(cwd, args.text('path') ?? 'data')
    const joinTimeoutMs = args.duration('timeout')
    const input = inputFrom(args, {
      path: directory,
      tokenFile: tokenFile(args, cwd, join(directory, KEPT_TOKEN)),
      ca: absolute(cwd, args.text('ca')),
    })
    const config = checked(input)
    return asSuccessor((predecessor) =>
      runNode(config, { sites: [], folder: cwd }, terminal, tellReady(terminal), {
        program: programOf(env),
        ...(predecessor && { predecessor }),
        ...(joinTimeoutMs !== undefined && { joinTimeoutMs }),
      }),
    )
  },
}

interface Places {
  readonly path: string
  readonly tokenFile: string
  readonly ca: string | undefined
}

function inputFrom(args: Arguments, { path, tokenFile: token, ca }: Places): ConfigInput {
  const listen = args.all('listen')
  const workers = args.number('workers', 1, 1024)
  const name = args.text('name')
  const groups = args.all('group')
  return {
    edge: { ...(listen.length > 0 && { listen: [...listen] }), ...(workers !== undefined && { workers }) },
    control: { listen: args.text('admin') ?? '127.0.0.1:0' },
    node: { ...(name !== undefined && { name }), ...(groups.length > 0 && { groups: [...groups] }) },
    store: {
      kind: 'replica',
      control: args.operands.length === 1 ? args.operands[0]! : [...args.operands],
      tokenFile: token,
      path,
      ...(ca !== undefined && { ca }),
    },
  }
}

function checked(input: ConfigInput): Config {
  const result = checkConfig(input)
  if (result.kind === 'config') return result.config
  throw new UsageError(
    result.problems
      .map(({ path, message }) => `${OPTION_OF[path.replace(/\[.*$/, '')] ?? path}: ${message}`)
      .join('\n'),
  )
}

const OPTION_OF: Readonly<Record<string, string>> = {
  'store.control': 'URL',
  'edge.listen': '--listen',
  'control.listen': '--admin',
  'edge.workers': '--workers',
  'node.name': '--name',
  'node.groups': '--group',
}

/** The file that holds the token: the one that is named, or `kept` with the one that was given, now or before. */
function tokenFile(args: Arguments, cwd: string, kept: string): string {
  const [token, file] = [args.text('token'), args.text('token-file')]
  if (token !== undefined && file !== undefined)
    throw new UsageError('give --token or --token-file, not both')
  if (file !== undefined) return resolve(cwd, file)
  if (token !== undefined) writeToken(kept, token)
  else if (!existsSync(kept)) {
    throw new UsageError(
      'give --token or --token-file: `orla tokens new NAME --role edge` makes one at the control plane',
    )
  }
  return kept
}

/** For its owner alone, also where the file was there before. */
function writeToken(path: string, token: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, `${token}\n`, { mode: 0o600 })
    chmodSync(path, 0o600)
  } catch (error) {
    throw new EdgeError('file-unreadable', `${path} cannot be written: ${(error as Error).message}`, {
      hint: 'give another --path, or make it writable',
      cause: error,
    })
  }
}

function writeConfig(args: Arguments, terminal: Terminal, given: string): number {
  const { cwd } = terminal
  const file = resolve(cwd, given)
  if (!file.endsWith('.json')) throw new UsageError('--write-config takes a .json file')
  if (existsSync(file)) {
    throw new EdgeError('request-invalid', `${given} is there already`, { hint: 'give another name' })
  }
  const folder = dirname(file)
  const token = tokenFile(args, cwd, file.replace(/\.json$/, '.token'))
  const from = (path: string) => {
    const short = relative(folder, path)
    return short.startsWith('..') ? path : `./${short}`
  }
  const ca = absolute(cwd, args.text('ca'))
  const input = inputFrom(args, {
    path: from(resolve(cwd, args.text('path') ?? 'data')),
    tokenFile: from(token),
    ca: ca === undefined ? undefined : from(ca),
  })
  checked(input)
  writeFileSync(file, `${JSON.stringify(input, null, 2)}\n`)
  terminal.print(`${given} is written; \`orla start --config ${given}\` runs it`)
  return EXIT.done
}

const absolute = (cwd: string, path: string | undefined): string | undefined =>
  path === undefined ? undefined : resolve(cwd, path)
