/**
 * The server blocks of a Corefile set up: each with its zones, what its plugins set, and the chain of its handlers. All of them, or none: where one
 * fails, what the others began is ended.
 */
import { nearest } from '../base/nearest.ts'
import type {
  CorefileLine,
  CorefileWord,
  DnsHost,
  DnsListener,
  DnsLog,
  DnsMetrics,
  DnsNext,
  DnsPlugin,
  DnsSettings,
} from '../contract/dns.ts'
import { DnsMessage } from '../wire/dns/message.ts'
import { BlockSetup } from './block-setup.ts'
import { type ChainLink, compileChain } from './chain.ts'
import { CorefileError } from './corefile/corefile-error.ts'
import type { CorefileBlock } from './corefile/corefile.ts'
import { parseServerKey, type ServerKey } from './corefile/server-key.ts'
import { COREDNS_PLUGINS } from './coredns-plugins.ts'
import { ZoneOverlaps } from './overlap.ts'

/** The plugins that a Corefile may name, in the order of the chain. */
export interface PluginOrder {
  readonly names: readonly string[]
  /** Those of them that the Corefile itself brought. */
  readonly outside?: readonly string[]
  /** Words that begin a line in a server block and are no plugin. */
  isKnownWord?(word: string): boolean
  load(name: string): Promise<DnsPlugin>
}

export interface BlocksSurroundings {
  readonly plugins: PluginOrder
  readonly host: DnsHost
  readonly metrics: DnsMetrics
  /** Of keys without a port. */
  readonly dnsPort: number
  readonly folder: string
  log(plugin: string, settings: DnsSettings): DnsLog
  onPanic(plugin: string, error: unknown): void
}

export interface ServerBlock {
  readonly keys: readonly ServerKey[]
  /** Names of the plugins that it has, in their order. */
  readonly plugins: readonly string[]
  readonly setup: BlockSetup
  readonly chain: DnsNext
}

/** Throws a `CorefileError` with the place. */
export async function setUpBlocks(
  blocks: readonly CorefileBlock[],
  around: BlocksSurroundings,
): Promise<ServerBlock[]> {
  const begun: BlockSetup[] = []
  try {
    const served: ServerBlock[] = []
    for (const block of blocks) served.push(await setUp(block, around, begun))
    checkOverlaps(served)
    return served
  } catch (error) {
    await stopAll(begun)
    throw error
  }
}

/** Ends what setups began; what fails in it is told and ends nothing else. */
export async function stopAll(setups: readonly BlockSetup[], told?: (error: unknown) => void): Promise<void> {
  for (const { stops } of setups) {
    for (const stop of stops.splice(0)) {
      try {
        await stop()
      } catch (error) {
        told?.(error)
      }
    }
  }
}

async function setUp(
  block: CorefileBlock,
  around: BlocksSurroundings,
  begun: BlockSetup[],
): Promise<ServerBlock> {
  const keys = block.keys.map((key) => parseServerKey(key, around.dnsPort))
  const byName = linesByName(block.lines, around.plugins)
  const compiled: { chain?: DnsNext } = {}
  const setup = new BlockSetup({
    zones: keys.flatMap(({ zones }) => zones),
    listeners: keys.map(({ transport, port }): DnsListener => ({ transport, port })),
    metrics: around.metrics,
    host: around.host,
    log: around.log,
    folder: around.folder,
    readiness: () => begun.flatMap(({ readies }) => readies),
    ask: async (query) => {
      const outcome = await compiled.chain?.(query)
      return outcome instanceof DnsMessage ? outcome : undefined
    },
  })
  begun.push(setup)
  const links: ChainLink[] = []
  const plugins = around.plugins.names.filter((name) => byName.has(name))
  for (const name of plugins) {
    const lines = byName.get(name)!
    const plugin = await around.plugins.load(name)
    const controller = setup.controllerFor(name, lines)
    const handler = await located(lines[0]!.name, name, async () => await plugin.setup(controller))
    const hasStacktraces = () => setup.settings.hasStacktraces || setup.settings.isDebug
    if (handler) links.push({ plugin: name, handler, log: controller.log, hasStacktraces })
  }
  compiled.chain = compileChain(links, { onPanic: around.onPanic })
  return { keys, plugins, setup, chain: compiled.chain }
}

/** What a setup throws, with the place of the plugin where it says none itself. */
async function located<T>(where: CorefileWord, plugin: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof CorefileError) throw error
    const text = error instanceof Error ? error.message : String(error)
    throw Object.assign(new CorefileError(where, `plugin/${plugin}: ${text}`), { cause: error })
  }
}

function linesByName(lines: readonly CorefileLine[], plugins: PluginOrder): Map<string, CorefileLine[]> {
  const { names: known } = plugins
  const byName = new Map<string, CorefileLine[]>()
  for (const line of lines) {
    const { text } = line.name
    if (plugins.isKnownWord?.(text)) continue
    if (!known.includes(text)) throw new CorefileError(line.name, unknownDirective(text, known))
    const same = byName.get(text)
    if (same) same.push(line)
    else byName.set(text, [line])
  }
  return byName
}

function unknownDirective(name: string, known: readonly string[]): string {
  const other = COREDNS_PLUGINS.get(name)
  if (other !== undefined)
    return `Unknown directive '${name}': a plugin of CoreDNS that Orla does not have${other}`
  const meant = nearest(name, known)
  return `Unknown directive '${name}'${meant === undefined ? ': `orla dns --plugins` lists those that there are' : `; did you mean ${meant}?`}`
}

function checkOverlaps(blocks: readonly ServerBlock[]): void {
  const overlaps = new ZoneOverlaps()
  for (const { keys, setup } of blocks) {
    const { bind, filters } = setup.settings
    for (const { transport, port, zones, word } of keys) {
      for (const zone of zones) {
        for (const address of bind.length === 0 ? [''] : bind) {
          const wrong = overlaps.add({ transport, zone: zone.toString(), port, address }, filters.length > 0)
          if (wrong !== undefined) throw new CorefileError(word, wrong)
        }
      }
    }
  }
}
