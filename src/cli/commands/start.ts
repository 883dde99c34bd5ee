/** `orla start`: runs an edge node until it is told to stop. */
import { loadConfig } from '../../config/load.ts'
import { runNode } from '../run-node.ts'
import type { Arguments } from '../arguments.ts'
import type { Command, Terminal } from '../command.ts'
import { Predecessor } from '../../supervisor/handover/predecessor.ts'
import type { Program } from '../../supervisor/handover/successor.ts'

export const command: Command = {
  name: 'start',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  text: [
    'Runs an edge node: proxies and caches for the sites of the configuration, and runs the units that are deployed.',
    'Prints one line `ready edge=URL[,URL…] control=URL` on standard output once it serves; everything else goes to standard error.',
    'SIGTERM and Ctrl-C drain: no accepted request is cut. A second one ends it at once.',
    'SIGHUP reads the configuration again, as `orla reload` and a change of the file do: sites and limits go live, what is wrong changes nothing.',
    'SIGUSR2 upgrades, as `orla upgrade` does: the program that stands in its place now takes over, and no connection is refused. SIGUSR1 opens the access logs anew.',
    'A service manager that asks for it (`NOTIFY_SOCKET`) is told when the node serves, by which process, and when it ends.',
  ].join('\n'),
  options: {
    config: {
      value: 'FILE',
      text: 'a .ts or .json file; without it orla.config.ts or orla.config.json here, else the defaults with no site',
    },
  },
  examples: [
    ['orla start --config edge.json', 'runs what edge.json describes'],
    ['orla start', 'runs what orla.config.ts or orla.config.json here describes'],
  ],
  exits: {
    1: 'it could not start: the configuration, a port or the data directory',
  },
  run: async (args, terminal) => {
    const predecessor = Predecessor.ofThisProcess()
    try {
      return await start(args, terminal, predecessor)
    } catch (error) {
      predecessor?.failed((error as Error).message)
      throw error
    }
  },
}

async function start(
  args: Arguments,
  terminal: Terminal,
  predecessor: Predecessor | undefined,
): Promise<number> {
  const { config, source, input, folder } = await loadConfig(args.text('config'), terminal.cwd)
  const path = source === 'defaults' ? undefined : source
  // Who started with a file does not go on without it: the defaults have no site, and would take all of them away.
  const load = () => loadConfig(path, terminal.cwd)
  const file = { sites: input.sites ?? [], folder, path, load }
  if (config.sites.length === 0) {
    const where = source === 'defaults' ? 'no configuration was found here' : `${source} has no site`
    terminal.note(`${where}: the edge answers only what units answer`)
  }
  return runNode(
    config,
    file,
    terminal,
    ({ edge, control, keptToken }) => {
      if (keptToken?.isNew) {
        // Not the token: what is said here lies in journals, which more people read than the file.
        terminal.note(`no control.token is configured: one was made; its owner reads it in ${keptToken.path}`)
      } else if (keptToken) {
        terminal.note(`no control.token is configured: the one in ${keptToken.path} is used`)
      }
      terminal.print(`ready edge=${edge.join(',')} control=${control}`)
    },
    {
      // Nor does the next program, where this one found its file by itself.
      program: program(terminal.env, path && args.text('config') === undefined ? ['--config', path] : []),
      ...(predecessor && { predecessor }),
    },
  )
}

/**
 * What runs this command once more, with `more`: by the path that it was called by, which may be a link to another release by then.
 */
function program(env: Terminal['env'], more: readonly string[]): Program {
  const [script = '', ...given] = process.argv.slice(1)
  const args = [...given, ...more]
  const called = env['ORLA_PROGRAM']
  return called === undefined
    ? { command: process.execPath, args: [...process.execArgv, script, ...args] }
    : { command: called, args }
}
