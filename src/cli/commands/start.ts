/** `orla start`: runs an edge node until it is told to stop. */
import { loadConfig } from '../../config/load.ts'
import { asSuccessor, programOf, runNode, tellReady } from '../run-node.ts'
import type { Arguments } from '../arguments.ts'
import type { Command, Terminal } from '../command.ts'
import type { Predecessor } from '../../supervisor/handover/predecessor.ts'

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
  run: (args, terminal) => asSuccessor((predecessor) => start(args, terminal, predecessor)),
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
  // Nor does the next program go on without the file, where this one found it by itself.
  const more = path && args.text('config') === undefined ? ['--config', path] : []
  return runNode(config, file, terminal, tellReady(terminal), {
    program: programOf(terminal.env, more),
    ...(predecessor && { predecessor }),
  })
}
