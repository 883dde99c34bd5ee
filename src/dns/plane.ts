/**
 * The DNS plane: serves what a Corefile says, and another Corefile in its place without a gap.
 *
 * A reload sets the new one up beside the one that serves; only once all of it stands, answers are asked from it, from one query to the next. Sockets
 * that both have are kept. Where anything is wrong, the former one goes on as if nothing had been.
 */
import { dirname, resolve } from 'node:path'
import type { DnsSteering, DnsSteeringExplanation } from '../contract/dns.ts'
import { type Corefile, type CorefileSource, readCorefile } from './corefile/corefile.ts'
import { CorefileWatch } from './corefile-watch.ts'
import type { AnswerQuery, Endpoint, EndpointServer, OpenEndpoint } from './endpoint.ts'
import type { DnsOutcome } from '../contract/dns.ts'
import { LateAnswers, tooMany } from './late-answers.ts'
import type { ServerQuery } from './query.ts'
import { RCODE } from '../wire/dns/codes.ts'
import { DnsName, DnsNameError } from '../wire/dns/name.ts'
import { Serving, type ServingSurroundings } from './serving.ts'
import type { PluginOrder } from './server-blocks.ts'

/** What CoreDNS serves where a Corefile is empty. */
const DEFAULT_COREFILE = '. {\n  whoami\n  log\n}\n'

export interface PlaneOptions extends Omit<ServingSurroundings, 'plugins' | 'folder'> {
  /** Reads the Corefile, at the start and at each reload. */
  read(): Promise<CorefileSource>
  readonly env: Readonly<NodeJS.ProcessEnv>
  /** The plugins that a Corefile may name; those from outside that it names itself are among them. */
  pluginsOf(corefile: Corefile, source: CorefileSource): PluginOrder
  readonly open: OpenEndpoint
  /** Somebody else says when the Corefile is read again, so that nobody looks whether it has changed (plugin `reload`). */
  readonly isLed?: boolean
  /** Notes for an operator. */
  note(level: 'info' | 'warn' | 'error', text: string): void
}

/** A socket and whoever answers there now. */
interface OpenServer {
  /** As the Corefile that serves has it. */
  endpoint: Endpoint
  readonly server: EndpointServer
  answer: AnswerQuery
  /** From now on it is answered: told to those that waited for it. */
  readonly taken: (answer: AnswerQuery) => void
}

/** A Corefile that stands and does not serve yet. */
export interface PreparedCorefile {
  /** It serves, before this returns; resolves when the former one has ended. */
  take(): Promise<void>
  discard(): Promise<void>
}

export class DnsPlane {
  readonly #options: PlaneOptions
  readonly #servers = new Map<string, OpenServer>()
  readonly #watch: CorefileWatch
  #serving: Serving | undefined
  /** Reloads and the end come one after the other. */
  #queue: Promise<unknown> = Promise.resolve()

  constructor(options: PlaneOptions) {
    this.#options = options
    this.#watch = new CorefileWatch({
      metrics: options.metrics,
      random: options.host.random,
      read: async () => readCorefile(await options.read(), options.env),
      reload: () => this.reload(),
      info: (text) => options.note('info', text),
      error: (text) => options.note('error', text),
    })
  }

  get serving(): Serving | undefined {
    return this.#serving
  }

  /** Where it listens, in the order of the Corefile. */
  get addresses(): readonly string[] {
    return [...this.#servers.values()].map(({ server }) => server.address)
  }

  /** Names whose clients are sent to edges, for the admin API: `explain` tells how a client is answered, and why. */
  get steering(): readonly DnsSteering[] {
    return this.#serving?.blocks.flatMap(({ setup }) => setup.offersOf('steering')) ?? []
  }

  /** How a client is answered that asks for a steered name: by each server block that has it. Empty where none has, or the client is none. */
  explain(name: string, client: string): readonly DnsSteeringExplanation[] {
    const asked = nameOf(name)
    if (!asked) return []
    const having = this.steering.filter(({ names }) =>
      names.some((one) => one.equals(asked) || (one.isWildcard && isBelow(asked, one.parent!))),
    )
    return having.flatMap((steering) => steering.explain(client) ?? [])
  }

  /** Sets everything up and ends it again: throws what `start` would. Opens no socket. */
  async check(): Promise<void> {
    const serving = await this.#prepare()
    await serving.stop()
  }

  /** Serves. Rejects where the Corefile, a plugin or a socket refuses; then nothing is left of it. */
  async start(): Promise<void> {
    await this.#next(() => this.#put())
  }

  /** Reads the Corefile again. Rejects where it is wrong: the former one stays in force. */
  async reload(): Promise<void> {
    await this.#next(() => this.#put())
  }

  /**
   * The same in two steps, for several processes that change at one moment: all of it stands, and serves from `take` on. Rejects as `reload` does. Nothing else
   * of this plane is to be asked for in between.
   */
  async prepare(): Promise<PreparedCorefile> {
    return await this.#next(() => this.#stand())
  }

  /** For a query that came in where no server block listens: it is answered out of all of them. */
  answerElsewhere(query: ServerQuery): DnsOutcome | Promise<DnsOutcome> {
    return this.#serving?.answerAnywhere(query) ?? RCODE.SERVFAIL
  }

  async stop(): Promise<void> {
    this.#watch.stop()
    await this.#next(async () => {
      await this.#serving?.ending()
      const open = [...this.#servers.values()]
      this.#servers.clear()
      await Promise.all(open.map(({ server }) => server.close()))
      await this.#serving?.stop()
      this.#serving = undefined
    })
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work)
    this.#queue = done.catch(() => undefined)
    return done
  }

  async #prepare(): Promise<Serving> {
    const source = await this.#options.read()
    const read = readCorefile(source, this.#options.env)
    for (const warning of read.warnings) this.#options.note('warn', warning)
    const corefile = read.blocks.length > 0 ? read : this.#default(read)
    const plugins = this.#options.pluginsOf(corefile, source)
    const folder = dirname(resolve(source.folder, source.file))
    const serving = await Serving.prepare(corefile, { ...this.#options, plugins, folder })
    for (const warning of earlyPlugins(serving, plugins)) this.#options.note('warn', warning)
    return serving
  }

  #default(read: Corefile): Corefile {
    this.#options.note(
      'warn',
      'the Corefile has no server block: . is served with whoami and log, as CoreDNS does it',
    )
    const source = { text: DEFAULT_COREFILE, file: 'Corefile', folder: '.' }
    return { ...readCorefile(source, {}), plugins: read.plugins, files: read.files }
  }

  /** Puts what is read now in the place of what serves. */
  async #put(): Promise<void> {
    await (await this.#stand()).take()
  }

  /** What is read now stands beside what serves. */
  async #stand(): Promise<PreparedCorefile> {
    const next = await this.#prepare()
    const opened: OpenServer[] = []
    const changes: (() => void)[] = []
    try {
      for (const endpoint of next.endpoints.values()) {
        const open = this.#servers.get(endpoint.label)
        if (!open) opened.push(await this.#open(endpoint))
        else if (!hasSameTls(open.endpoint, endpoint) && endpoint.tls) {
          const change = open.server.changeTls?.(endpoint.tls)
          if (change) changes.push(() => void (open.endpoint = endpoint), change)
        }
      }
    } catch (error) {
      await Promise.all(opened.map(({ server }) => server.close()))
      await next.stop()
      throw error
    }
    try {
      await next.start()
    } catch (error) {
      await Promise.all(opened.map(({ server }) => server.close()))
      throw error
    }
    const often = next.blocks.map(({ setup }) => setup.settings.reload).find((reload) => reload !== undefined)
    return {
      take: async () => {
        const former = this.#serving
        this.#serving = next
        for (const change of changes) change()
        this.#take(next, opened)
        next.tellEnabled(former)
        if (!this.#options.isLed) this.#watch.serves(next.corefile, often)
        await former?.stop()
      },
      discard: async () => {
        await Promise.all(opened.map(({ server }) => server.close()))
        await next.stop()
      },
    }
  }

  async #open(endpoint: Endpoint): Promise<OpenServer> {
    const open: { current?: OpenServer } = {}
    // Nothing is answered before all stands: a query that comes earlier waits, since other processes may have had the socket's address before.
    const taken = Promise.withResolvers<AnswerQuery>()
    const early = new LateAnswers()
    const wait: AnswerQuery = (query) =>
      early.isFull
        ? tooMany(query)
        : early.bounded(
            query,
            taken.promise.then((answer) => answer(query)),
          )
    const opened = await this.#options
      .open(endpoint, (query) => (open.current?.answer ?? wait)(query))
      .catch((error: Error) => {
        throw Object.assign(error, { listen: `${endpoint.host || '*'}:${endpoint.port}` })
      })
    const server: EndpointServer = {
      address: opened.address,
      setTimeouts: (timeouts) => opened.setTimeouts(timeouts),
      ...(opened.changeTls && { changeTls: (tls) => opened.changeTls!(tls) }),
      async close() {
        taken.resolve(() => RCODE.SERVFAIL)
        await opened.close()
      },
    }
    open.current = { endpoint, server, answer: wait, taken: taken.resolve }
    return open.current
  }

  /** From here on queries are answered by `next`; sockets that it has not are closed. */
  #take(next: Serving, opened: readonly OpenServer[]): void {
    const former = new Map(this.#servers)
    this.#servers.clear()
    for (const { label, timeouts } of next.endpoints.values()) {
      const open = opened.find(({ endpoint }) => endpoint.label === label) ?? former.get(label)!
      open.answer = next.answerAt(label)!
      open.server.setTimeouts(timeouts)
      open.taken(open.answer)
      this.#servers.set(label, open)
      if (former.get(label) === open) former.delete(label)
    }
    for (const { server } of former.values())
      void server.close().catch((error: unknown) => this.#options.onPanic('', error))
  }
}

const hasSameTls = (one: Endpoint, other: Endpoint): boolean =>
  JSON.stringify(one.tls) === JSON.stringify(other.tls)

function nameOf(text: string): DnsName | undefined {
  try {
    return DnsName.parse(text)
  } catch (error) {
    if (error instanceof DnsNameError) return undefined
    throw error
  }
}

const isBelow = (name: DnsName, above: DnsName): boolean => name.isWithin(above) && !name.equals(above)

/** What stands in front of `acl` answers those that it keeps out. Those that are built in stand where they belong. */
function earlyPlugins({ blocks }: Serving, { outside = [] }: PluginOrder): string[] {
  return blocks.flatMap(({ plugins, keys }) =>
    plugins
      .slice(0, Math.max(0, plugins.indexOf('acl')))
      .filter((name) => outside.includes(name))
      .map(
        (name) =>
          `${keys[0]!.word.text}: the plugin ${name} stands before acl: it answers those whom acl keeps out`,
      ),
  )
}
