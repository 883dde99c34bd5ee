/** A server block around plugins under test: set up from the text of a Corefile, and asked without a socket. */
import type { TestContext } from 'node:test'
import { type ChainLink, compileChain } from '../../../dns/chain.ts'
import { BlockSetup } from '../../../dns/block-setup.ts'
import { collectMetadata } from '../../../dns/metadata.ts'
import { linesOf } from '../../../dns/corefile/lines.ts'
import { wordsOf } from '../../../dns/corefile/words.ts'
import { DnsFigures } from '../../../dns/metrics.ts'
import { type DnsPeer, ServerQuery } from '../../../dns/query.ts'
import type { DnsHost, DnsLog, DnsNext, DnsOutcome, DnsPlugin } from '../../../contract/dns.ts'
import { parseType } from '../../../wire/dns/codes.ts'
import type { Edns } from '../../../wire/dns/edns.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import { encodeMessage } from '../../../wire/dns/message-writer.ts'
import { DnsName } from '../../../wire/dns/name.ts'

export interface BlockOptions {
  /** In the order of the chain; those behind `text`'s lines alone are set up. */
  readonly plugins: readonly DnsPlugin[]
  /** `example.org` where none is given. */
  readonly zones?: readonly string[]
  readonly host?: Partial<DnsHost>
  readonly folder?: string
  readonly env?: NodeJS.ProcessEnv
}

export interface AskOptions {
  readonly ip?: string
  readonly isTcp?: boolean
  readonly edns?: Partial<Edns>
  readonly class?: number
  readonly isRecursionDesired?: boolean
}

export interface TestBlock {
  /** What the chain makes of a question. */
  ask(name: string, type?: string, options?: AskOptions): Promise<DnsOutcome>
  /** The same, where a message is expected. */
  answer(name: string, type?: string, options?: AskOptions): Promise<DnsMessage>
  /** What the chain makes of a query that came otherwise. */
  run(query: ServerQuery): Promise<DnsOutcome>
  readonly setup: BlockSetup
  /** `level plugin: text` of each line that was logged. */
  readonly logged: readonly string[]
  readonly figures: DnsFigures
  stop(): Promise<void>
}

/** `text` is the inside of a server block. Throws what a setup throws. Stopped with the test. */
export async function blockOf(t: TestContext, text: string, options: BlockOptions): Promise<TestBlock> {
  const logged: string[] = []
  const figures = new DnsFigures()
  const logFor = (plugin: string): DnsLog => {
    const say = (level: string) => (line: string) => void logged.push(`${level} ${plugin}: ${line}`)
    return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') }
  }
  const compiled: { chain?: DnsNext } = {}
  const zones = (options.zones ?? ['example.org']).map((zone) => DnsName.parse(zone))
  const setup = new BlockSetup({
    zones,
    listeners: [{ transport: 'dns', port: 53 }],
    metrics: figures,
    host: {
      now: () => Date.now(),
      steadyNow: () => performance.now(),
      random: () => Math.random(),
      ...options.host,
    },
    log: logFor,
    folder: options.folder ?? process.cwd(),
    ask: async (query) => {
      const outcome = await compiled.chain!(query)
      return outcome instanceof DnsMessage ? outcome : undefined
    },
  })
  const { lines } = linesOf(wordsOf(text, 'Corefile', options.env ?? {}))
  const links: ChainLink[] = []
  for (const plugin of options.plugins) {
    const own = lines.filter(({ name }) => name.text === plugin.name)
    if (own.length === 0) continue
    const controller = setup.controllerFor(plugin.name, own)
    const handler = await plugin.setup(controller)
    if (handler) links.push({ plugin: plugin.name, handler, log: controller.log })
  }
  const unknown = lines.find(({ name }) => !options.plugins.some((plugin) => plugin.name === name.text))
  if (unknown) throw new Error(`no plugin ${unknown.name.text} was given to the test`)
  compiled.chain = compileChain(links, { onPanic: () => undefined })
  for (const start of setup.starts) await start()
  let isStopped = false
  const stop = async () => {
    if (isStopped) return
    isStopped = true
    for (const end of setup.stops) await end()
  }
  t.after(stop)
  const ask = (name: string, type = 'A', more: AskOptions = {}) => run(queryFor(name, type, more))
  const run = async (query: ServerQuery) => {
    query.zone = zones.find((zone) => query.qname.isWithin(zone)) ?? DnsName.ROOT
    collectMetadata(setup.settings, query)
    return await compiled.chain!(query)
  }
  const answer: TestBlock['answer'] = async (name, type, more) => {
    const outcome = await ask(name, type, more)
    if (outcome instanceof DnsMessage) return outcome
    throw new Error(`no answer but the outcome ${outcome}; logged: ${logged.join('; ')}`)
  }
  return { ask, answer, run, setup, logged, figures, stop }
}

/** A question as a client has asked it. */
export function queryFor(name: string, type = 'A', options: AskOptions = {}): ServerQuery {
  const { ip = '127.0.0.1', isTcp = false, edns, isRecursionDesired = true } = options
  const message = new DnsMessage()
  message.id = 4711
  message.isRecursionDesired = isRecursionDesired
  const question = { name: DnsName.parse(name), type: parseType(type)!, class: options.class ?? 1 }
  message.question.push(question)
  if (edns) message.edns = { udpSize: 1232, version: 0, isDo: false, options: [], ...edns }
  const peer: DnsPeer = {
    transport: 'dns',
    isUdp: !isTcp,
    ip: () => ip,
    port: () => 40_000,
    localIp: () => (ip.includes(':') ? '::1' : '127.0.0.1'),
    localPort: () => 53,
    isProven: isTcp,
  }
  const asked = {
    ...question,
    id: message.id,
    opcode: 0,
    isRecursionDesired,
    isCheckingDisabled: false,
    edns: message.edns,
  }
  return new ServerQuery(asked, peer, encodeMessage(message), performance.now())
}
