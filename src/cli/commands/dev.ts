/** `orla dev`: a unit on a node of its own, deployed anew on every save, with all that it does for each request. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { EdgeError } from '../../base/errors.ts'
import { checkConfig } from '../../config/check.ts'
import { loadConfig } from '../../config/load.ts'
import type { Config, ConfigInput, SiteInput } from '../../config/schema.ts'
import type { ChangeResult } from '../../control/shapes.ts'
import { type Arguments, UsageError } from '../arguments.ts'
import { callTimeoutMs, deployedLine, valuesFrom } from '../change.ts'
import type { Command, Terminal } from '../command.ts'
import { ControlClient, ControlRefusal } from '../control-client.ts'
import { startDemoOrigin } from '../demo/origin.ts'
import { FETCH_OPTION, fetchSites } from '../fetch-sites.ts'
import { collectModule, type ModuleFiles, shownFile } from '../module-files.ts'
import { ModuleWatch } from '../module-watch.ts'
import { problemText, refusalText } from '../refusal.ts'
import { runNode } from '../run-node.ts'
import { tailText } from '../tail-text.ts'
import { traceText } from '../trace-text.ts'
import { unitNameOf } from '../unit-name.ts'

const LISTEN = '127.0.0.1:8080'
/** What comes later than that is not told as live: on a slow machine the first deploy takes more than the usual half minute. */
const DEPLOY = { timeoutMs: 300_000 }

export const command: Command = {
  name: 'dev',
  operands: 'FILE',
  operandsMin: 1,
  operandsMax: 1,
  text: [
    'Runs FILE on a node of its own, with its data in a folder that goes when it ends, and deploys it again whenever it, or a file that it imports, is saved.',
    'For each request it prints what ran, with the CPU time, the calls of the host (edge.kv, fetch…), and what the unit logged.',
    'What does not build is told, and the version before goes on answering. Every host is taken for the one site, unless --config says which sites there are:',
    'then hosts, origins, caches and limits are those of that file, and what units may fetch; its addresses, TLS, logs and the rest are not used.',
  ].join('\n'),
  options: {
    origin: { value: 'URL', text: "the site's origin; a page and a live playlist of the demo, unless said" },
    config: {
      value: 'FILE',
      text: 'run in front of the sites of this configuration, with its limits and edge.fetch; not with --origin or --cache',
    },
    listen: { value: 'ADDRESS', text: `where the edge listens, else ${LISTEN}` },
    control: { value: 'ADDRESS', text: 'where the control plane listens, else a free port' },
    cache: { text: 'cache what may be cached; unless said, every request goes to the origin' },
    name: { value: 'NAME', text: "the unit's name; that of the file unless said" },
    limit: {
      value: 'NAME=RATE',
      many: true,
      text: 'a limit that edge.limit finds and the field `limit` may name, such as login=5/1m',
    },
    ...FETCH_OPTION,
    env: { value: 'K=V', many: true, text: 'its environment' },
    secret: { value: 'K=V', many: true, text: 'the same, never shown' },
    'no-tests': { text: 'without the tests that lie beside it' },
    json: {
      text: 'print an object a line, with `kind`: ready, deployed, refused, request, line or dropped',
    },
  },
  examples: [
    ['orla dev units/token-auth.ts --env TOKEN=t', 'in front of the demo'],
    ['orla dev api.ts --allow-fetch 127.0.0.1:3000', 'with a server of yours to fetch from'],
    ['orla dev gate.ts --config edge.json', 'in front of the sites of a node'],
    ['orla dev login.ts --limit login=5/1m', 'with a limit that the node has, too'],
    ['orla dev gate.ts --json', 'for a program that shows it'],
    [
      'orla dev gate.ts --origin http://127.0.0.1:3000 --listen 127.0.0.1:0',
      'in front of your own, on a free port',
    ],
  ],
  exits: { 1: 'it could not start, as when a port is taken or there is no FILE' },
  run,
}

async function run(args: Arguments, terminal: Terminal): Promise<number> {
  const path = resolve(terminal.cwd, args.operands[0]!)
  const name = args.text('name') ?? unitNameOf(path)
  // What can be said before anything starts.
  await collectModule(path)
  const isJson = args.flag('json')
  const sitesOf = await frontOf(args, terminal)
  const demo = sitesOf === undefined ? await startDemoOrigin() : undefined
  const front = sitesOf ?? siteFront(demo!.url, args)
  const folder = await mkdtemp(join(tmpdir(), 'orla-dev-'))
  let session: Session | undefined
  try {
    return await runNode(
      configFrom(args, folder, front),
      { sites: front.sites, folder: front.folder ?? folder },
      terminal,
      ({ edge, control, token }) => {
        terminal.print(
          isJson
            ? JSON.stringify({ kind: 'ready', edge, control })
            : `ready edge=${edge.join(',')} control=${control}`,
        )
        const file = relative(terminal.cwd, path)
        terminal.note(`${file} in front of ${front.text}; save it, and it is live. Ctrl-C ends it.`)
        session = new Session(path, name, args, new ControlClient(new URL(control), token), terminal)
      },
      {
        observer: {
          onTrace: (trace) =>
            terminal.print(isJson ? JSON.stringify({ kind: 'request', ...trace }) : traceText(trace)),
          onLine: (line) =>
            terminal.print(isJson ? JSON.stringify({ kind: 'line', ...line }) : tailText(line)),
          onDropped: (count) =>
            isJson
              ? terminal.print(JSON.stringify({ kind: 'dropped', count }))
              : terminal.note(`dropped ${count} lines`),
        },
      },
    )
  } finally {
    session?.close()
    await demo?.close()
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** What the unit runs in front of. */
interface Front {
  readonly sites: readonly SiteInput[]
  /** Where paths in them count from; undefined where there are none. */
  readonly folder: string | undefined
  /** What units may fetch, where a configuration says it. */
  readonly fetch: Config['edge']['fetch'] | undefined
  /** Over all sites, as they are written; and the tables that they need. */
  readonly limits: readonly LimitInput[]
  readonly geo: Config['geo'] | undefined
  /** In words. */
  readonly text: string
}

/** What the options name; undefined where they name nothing. */
async function frontOf(args: Arguments, terminal: Terminal): Promise<Front | undefined> {
  const file = args.text('config')
  const origin = args.text('origin')
  if (file === undefined) return origin === undefined ? undefined : siteFront(origin, args)
  for (const name of ['origin', 'cache'])
    if (args.flag(name)) throw new UsageError(`--config and --${name} exclude each other: the file says it`)
  const { input, config, source, folder } = await loadConfig(file, terminal.cwd)
  const given = input.sites ?? []
  if (given.length === 0)
    throw new EdgeError('config-invalid', `${source} has no site for the unit to run in front of`, {
      hint: 'add one to `sites`, or name an origin with --origin instead of --config',
    })
  // There is no TLS here to send anybody to, and the logs of the real node are not for this one.
  const sites = given.map((site) => ({
    ...site,
    redirectHttps: false,
    accessLog: false as const,
    limits: alone(site.limits),
  }))
  const hosts = [...new Set(config.sites.flatMap((site) => site.hosts))]
  const text = `the sites of ${relative(terminal.cwd, source)} (hosts ${hosts.join(', ')})`
  return { sites, folder, fetch: config.edge.fetch, limits: alone(input.limits), geo: config.geo, text }
}

type LimitInput = NonNullable<ConfigInput['limits']>[number]

/** What other nodes count too is counted here alone: they are not to feel it. */
function alone(limits: readonly LimitInput[] = []): LimitInput[] {
  return limits.map((limit) => {
    if (limit.kind === 'concurrency' || limit.kind === 'bandwidth') return limit
    const { scope: _scope, mode: _mode, ...rest } = limit
    return rest
  })
}

const siteFront = (origin: string, args: Arguments): Front => ({
  sites: [{ origin, ...(args.flag('cache') && { cache: { ram: '64mb' } }) }],
  folder: undefined,
  fetch: undefined,
  limits: [],
  geo: undefined,
  text: origin,
})

function configFrom(args: Arguments, folder: string, { sites, fetch, limits, geo }: Front): Config {
  const allowed = fetchSites(args)
  const named = Object.entries(args.pairs('limit') ?? {}).map(([name, rate]) => ({ name, rate }))
  const result = checkConfig({
    edge: { listen: args.text('listen') ?? LISTEN, workers: 1, fetch: { sites: allowed } },
    control: { listen: args.text('control') ?? '127.0.0.1:0' },
    store: { path: join(folder, 'data') },
    node: { name: 'dev' },
    limits: [...limits, ...named],
    ...(geo && { geo }),
    sites,
  })
  if (result.kind === 'config') {
    const { config } = result
    if (fetch === undefined) return config
    return { ...config, edge: { ...config.edge, fetch: { ...fetch, sites: [...fetch.sites, ...allowed] } } }
  }
  throw new UsageError(result.problems.map(({ path, message }) => `${path}: ${message}`).join('\n'))
}

/** Deploys the unit, one deploy at a time: what is saved during one is deployed after it. */
class Session {
  readonly #path: string
  readonly #name: string
  readonly #args: Arguments
  readonly #control: ControlClient
  readonly #terminal: Terminal
  readonly #watch: ModuleWatch
  #last = ''
  #isAtWork = false
  #isAskedAgain = false
  #isClosed = false

  constructor(path: string, name: string, args: Arguments, control: ControlClient, terminal: Terminal) {
    this.#path = path
    this.#name = name
    this.#args = args
    this.#control = control
    this.#terminal = terminal
    const onError = (error: Error) => terminal.note(error.message)
    this.#watch = new ModuleWatch(path, () => void this.#look(), onError)
    void this.#look()
  }

  close(): void {
    this.#isClosed = true
    this.#watch.close()
  }

  async #look(): Promise<void> {
    this.#isAskedAgain = true
    if (this.#isAtWork) return
    this.#isAtWork = true
    try {
      while (this.#isAskedAgain && !this.#isClosed) {
        this.#isAskedAgain = false
        await this.#once()
      }
    } finally {
      this.#isAtWork = false
    }
  }

  async #once(): Promise<void> {
    let module: ModuleFiles | undefined
    try {
      module = await collectModule(this.#path, !this.#args.flag('no-tests'))
      this.#watch.follow(module)
      const text = JSON.stringify(module)
      if (text === this.#last) return
      this.#last = text
      await this.#deploy(module)
    } catch (error) {
      if (this.#isClosed) return
      if (!(error instanceof EdgeError)) throw error
      // A file that comes back as it was is deployed again.
      if (module === undefined) this.#last = ''
      const of = module
      const find = of && ((file: string) => shownFile(of, file, this.#terminal.cwd))
      if (this.#args.flag('json')) {
        const problems = error instanceof ControlRefusal ? (error.details.problems ?? []) : []
        const said = { kind: 'refused', code: error.code, message: error.message, problems }
        this.#terminal.print(JSON.stringify(said))
      }
      this.#terminal.note(refusalText(error, find, this.#name))
    }
  }

  async #deploy(module: ModuleFiles): Promise<void> {
    const { source, language, entry, files, tests } = module
    const body = {
      source,
      language,
      entry,
      files,
      ...(tests !== undefined && { tests }),
      ...valuesFrom(this.#args),
      ...DEPLOY,
    }
    const options = { body, timeoutMs: callTimeoutMs(DEPLOY) }
    const result = (await this.#control.call('PUT', `/v1/units/${this.#name}`, options)) as ChangeResult
    const find = (file: string) => shownFile(module, file, this.#terminal.cwd)
    for (const warning of result.warnings) this.#terminal.note(`warning: ${problemText(warning, find)}`)
    this.#terminal.print(
      this.#args.flag('json') ? JSON.stringify({ kind: 'deployed', ...result }) : deployedLine(result),
    )
  }
}
