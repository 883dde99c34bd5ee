/** `orla demo` (`npm start`): an origin, an edge in front of it, and what to try with them. */
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkConfig } from '../../config/check.ts'
import type { Config } from '../../config/schema.ts'
import { type Arguments, UsageError } from '../arguments.ts'
import type { Command, Terminal } from '../command.ts'
import { startDemoOrigin } from '../demo/origin.ts'
import { DEMO_FILES, demoSteps } from '../demo/steps.ts'
import { type NodeReady, runNode } from '../run-node.ts'

const EDGE = '127.0.0.1:8080'
const CONTROL = '127.0.0.1:8081'

export const command: Command = {
  name: 'demo',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  text: 'Runs an origin with a page and a live playlist, an edge in front of it, and prints what to try. Units that are deployed stay in its folder for the next time.',
  options: {
    edge: { value: 'ADDRESS', text: `where the edge listens, else ${EDGE}` },
    control: { value: 'ADDRESS', text: `where the control plane listens, else ${CONTROL}` },
    folder: { value: 'FOLDER', text: 'where its data lies, else .orla-demo here' },
  },
  examples: [['orla demo --edge 127.0.0.1:9080', 'another port for the edge']],
  exits: { 1: 'it could not start, as when a port is taken' },
  run: async (args, terminal) => {
    const folder = resolve(terminal.cwd, args.text('folder') ?? '.orla-demo')
    const isKnown = existsSync(join(folder, 'data'))
    await mkdir(folder, { recursive: true })
    for (const [name, text] of Object.entries(DEMO_FILES)) await writeFile(join(folder, name), text)
    const origin = await startDemoOrigin()
    try {
      return await runNode(
        configFrom(args, folder, origin.url),
        { sites: [siteOf(origin.url)], folder },
        terminal,
        (ready) => {
          terminal.print(`ready edge=${ready.edge.join(',')} control=${ready.control}`)
          for (const line of introduction(ready, folder, origin.url, terminal)) terminal.note(line)
          if (isKnown)
            terminal.note(`Units of the last time are still deployed; remove ${folder} to begin anew.`)
        },
      )
    } finally {
      await origin.close()
    }
  },
}

const siteOf = (origin: string) => ({ origin, cache: { ram: '64mb' } })

function configFrom(args: Arguments, folder: string, origin: string): Config {
  const result = checkConfig({
    // With one worker the second request for a thing always finds it in the cache.
    edge: { listen: args.text('edge') ?? EDGE, workers: 1 },
    control: { listen: args.text('control') ?? CONTROL },
    store: { path: join(folder, 'data') },
    node: { name: 'demo' },
    sites: [siteOf(origin)],
  })
  if (result.kind === 'config') return result.config
  throw new UsageError(result.problems.map(({ path, message }) => `${path}: ${message}`).join('\n'))
}

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

function introduction(
  { edge, control, token }: NodeReady,
  folder: string,
  origin: string,
  terminal: Terminal,
): string[] {
  const [url = ''] = edge
  const isElsewhere = resolve(terminal.cwd) !== resolve(ROOT)
  const near = relative(ROOT, folder)
  const shown = near.startsWith('..') ? folder : near
  const steps = demoSteps({ edge: url, folder: shown }).flatMap(({ say, command: line }) => [
    '',
    `  # ${say}`,
    `  ${line}`,
  ])
  return [
    '',
    `  edge           ${url}/   (a page to look at)`,
    `  control plane  ${control}/`,
    `  origin         ${origin}/`,
    `  token          ${token}`,
    '',
    'Try, in another terminal:',
    '',
    ...(isElsewhere ? [`  cd ${ROOT}`] : []),
    `  export ORLA_CONTROL=${control} ORLA_TOKEN=${token}`,
    ...steps,
    '',
    '  # what units log, and how they fail, as it happens',
    '  bin/orla tail',
    '',
    'Ctrl-C ends it.',
  ]
}
