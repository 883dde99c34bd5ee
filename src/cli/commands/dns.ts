/** `orla dns`: serves what a Corefile says until it is told to stop. */
import { unblockSignal } from '../../base/signal-mask.ts'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { EdgeError } from '../../base/errors.ts'
import { composeDns, listPlugins, type CorefileSource, type DnsPlane } from '../../compose-dns.ts'
import { addressError } from '../../supervisor/ports.ts'
import type { Arguments } from '../arguments.ts'
import { type Command, EXIT, JSON_OPTION, type Terminal } from '../command.ts'
import { table } from '../help.ts'

export const command: Command = {
  name: 'dns',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  text: [
    'Serves DNS as a Corefile says, the configuration of CoreDNS. There is no control plane: units and edges are known in a node alone (`orla start`).',
    'Prints one line `ready dns=ADDRESS[,ADDRESS…]` on standard output once it serves; everything else goes to standard error.',
    'SIGTERM and Ctrl-C answer what is on its way and end. SIGHUP and SIGUSR1 read the Corefile again: what is wrong in it changes nothing.',
  ].join('\n'),
  options: {
    conf: { value: 'FILE', text: 'the Corefile; `Corefile` here unless said, `-` for standard input' },
    port: { value: 'PORT', text: 'of zones that name none; 53 unless said, 0 for one that is free' },
    pidfile: {
      value: 'FILE',
      text: 'written with the id of the process once it serves, and removed at the end',
    },
    check: { text: 'only check the Corefile, and what its plugins load: nothing is served' },
    plugins: { text: 'list the plugins, in the order in which they stand in a chain' },
    ...JSON_OPTION,
  },
  examples: [
    ['orla dns --conf Corefile', 'serves what Corefile says'],
    [
      "printf '.:5300 { \\n whoami \\n }' | orla dns --conf -",
      'tells who asks it who they are, on port 5300',
    ],
    ['orla dns --conf Corefile --check', 'says what is wrong in it'],
  ],
  exits: {
    1: 'the Corefile, a port or a file that it names is not right, or a plugin ended the server (`loop`)',
  },
  run,
}

async function run(args: Arguments, terminal: Terminal): Promise<number> {
  if (args.flag('plugins')) return await list(args, terminal)
  const conf = args.text('conf') ?? 'Corefile'
  const port = args.number('port', 0, 65_535)
  const input = conf === '-' ? await textOf(process.stdin) : undefined
  /** Resolves with what ended the server; undefined where somebody told it to stop. */
  const ended = Promise.withResolvers<string | undefined>()
  const { plane } = composeDns({
    host: { end: ended.resolve },
    read: () => readSource(conf, input, terminal.cwd),
    env: terminal.env,
    ...(port !== undefined && { dnsPort: port }),
    log: (level, plugin, text) =>
      terminal.note(`[${level.toUpperCase()}] ${plugin === '' ? '' : `plugin/${plugin}: `}${text}`),
  })
  try {
    if (!args.flag('check')) return await serve(plane, terminal, ended, args.text('pidfile'))
    await plane.check()
    terminal.print(`${conf} is right`)
    return EXIT.done
  } catch (error) {
    if (error instanceof EdgeError && error.code !== 'corefile-invalid') throw error
    if (!(error instanceof EdgeError) && !('listen' in (error as Error))) throw error
    const { listen } = error as { readonly listen?: string }
    const told = listen === undefined ? (error as Error) : addressError(error as Error, listen)
    terminal.note(told.message)
    return EXIT.refused
  }
}

async function list(args: Arguments, terminal: Terminal): Promise<number> {
  const plugins = await listPlugins()
  if (args.flag('json')) terminal.print(JSON.stringify(plugins))
  else
    terminal.print(
      table(
        ['PLUGIN', 'DOES'],
        plugins.map(({ name, text }) => [name, text]),
      ),
    )
  return EXIT.done
}

async function readSource(conf: string, input: string | undefined, cwd: string): Promise<CorefileSource> {
  if (input !== undefined) return { text: input, file: 'stdin', folder: cwd }
  try {
    return { text: await readFile(resolve(cwd, conf), 'utf8'), file: conf, folder: cwd }
  } catch (error) {
    throw new EdgeError('file-unreadable', `${conf}: ${(error as Error).message}`, {
      cause: error,
      hint: '--conf names the Corefile',
    })
  }
}

async function serve(
  plane: DnsPlane,
  terminal: Terminal,
  ended: PromiseWithResolvers<string | undefined>,
  pidfile: string | undefined,
): Promise<number> {
  const end = () => ended.resolve(undefined)
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  const reload = () => void reloadOf(plane, terminal)
  // A signal that comes while it starts is a reload behind the start, and no end.
  process.on('SIGHUP', reload)
  process.on('SIGUSR1', reload)
  unblockSignal('SIGUSR1')
  await plane.start()
  const pidPath = pidfile === undefined ? undefined : resolve(terminal.cwd, pidfile)
  try {
    if (pidPath !== undefined) await writeFile(pidPath, `${process.pid}\n`)
  } catch (error) {
    await plane.stop()
    throw new EdgeError('file-unwritable', `${pidfile}: ${(error as Error).message}`, {
      cause: error,
      hint: '--pidfile names a file that can be written',
    })
  }
  terminal.print(`ready dns=${plane.addresses.join(',')}`)
  const why = await ended.promise
  if (why !== undefined) terminal.note(`[FATAL] ${why}`)
  await plane.stop()
  if (pidPath !== undefined) await rm(pidPath, { force: true })
  return why === undefined ? EXIT.done : EXIT.refused
}

async function reloadOf(plane: DnsPlane, terminal: Terminal): Promise<void> {
  try {
    await plane.reload()
    terminal.note('[INFO] Reloading complete')
  } catch (error) {
    terminal.note(`[ERROR] Corefile changed but reload failed: ${(error as Error).message}`)
  }
}
