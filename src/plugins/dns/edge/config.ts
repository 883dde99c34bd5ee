/** What a line `edge` says: its names, its nodes, and how clients are told from each other. */
import { CidrSet, parseCidr } from '../../../base/cidr.ts'
import { readPrefix } from '../../../base/ip-prefix.ts'
import type { CorefileLine, CorefileWord, DnsController } from '../../../contract/dns.ts'
import type { PrefixOverride } from '../../../steer/geography.ts'
import { draftOf, isNodeName, type NodeDraft, setField } from '../../../steer/node-fields.ts'
import { FILTERS_DEFAULT, parsePipeline, type Pipeline } from '../../../steer/pipeline.ts'
import { DnsName, DnsNameError } from '../../../wire/dns/name.ts'
import { durationOf, unknownProperty } from '../line-words.ts'

/** Whose word counts, or who is told: nobody, everybody, or those in a set. */
export type Believed = CidrSet | 'any' | 'off'

export interface EdgeConfig {
  readonly line: CorefileLine
  readonly names: readonly DnsName[]
  readonly drafts: readonly NodeDraft[]
  readonly nodesFile: CorefileWord | undefined
  /** Fields of nodes that stand on lines of their own: `force gru1 down`. */
  readonly fields: readonly NodeFieldLine[]
  readonly geoFiles: readonly CorefileWord[]
  readonly overrides: readonly PrefixOverride[]
  readonly overrideWords: readonly CorefileWord[]
  readonly pipeline: Pipeline
  readonly watermark: { readonly high: number; readonly low: number }
  readonly ecs: Believed
  readonly explain: Believed
  readonly bucketBits: { readonly v4: number; readonly v6: number }
  readonly staleMs: number
  readonly ttlSeconds: number
  readonly allDown: 'open' | 'closed'
}

export interface NodeFieldLine {
  readonly node: CorefileWord
  readonly field: string
  readonly words: readonly string[]
}

type Draft = { -readonly [K in keyof EdgeConfig]: EdgeConfig[K] } & {
  drafts: NodeDraft[]
  fields: NodeFieldLine[]
  geoFiles: CorefileWord[]
  overrides: PrefixOverride[]
  overrideWords: CorefileWord[]
}
type Reader = (controller: DnsController, line: CorefileLine, into: Draft) => void

/** Loopback, private networks (RFC 1918), unique local and link-local addresses (RFC 4193, RFC 4291). */
const NEAR = '127.0.0.0/8 ::1 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fe80::/10'.split(' ')
const TTL_MAX = 86_400

const READERS: Readonly<Record<string, Reader>> = {
  node: (controller, line, into) => void into.drafts.push(nodeOf(controller, line, into.drafts)),
  nodes: (controller, line, into) => {
    if (into.nodesFile) controller.fail(line, 'nodes stands twice: one file has them all')
    into.nodesFile = only(controller, line, 'a file of JSON')
  },
  geo: (controller, line, into) => {
    if (line.args.length === 0) controller.fail(line, 'geo needs a file, such as GeoLite2-City.mmdb')
    into.geoFiles.push(...line.args)
  },
  prefix: (controller, line, into) => {
    const [prefixWord, nodeWord] = line.args
    if (!prefixWord || !nodeWord || line.args.length > 2)
      return controller.fail(line, 'prefix needs a prefix and a node, such as prefix 203.0.113.0/24 gru1')
    const prefix = readPrefix(prefixWord.text)
    if (typeof prefix === 'string') return controller.fail(prefixWord, prefix)
    into.overrides.push({ prefix, node: nodeWord.text })
    into.overrideWords.push(nodeWord)
  },
  filters: (controller, line, into) => {
    const pipeline = parsePipeline(line.args.map(({ text }) => text))
    if (typeof pipeline === 'string') return controller.fail(line, pipeline)
    if (line.args.length === 0)
      return controller.fail(line, `filters needs some of ${FILTERS_DEFAULT.join(' ')}`)
    into.pipeline = pipeline
  },
  geofence: fieldLine,
  cname: fieldLine,
  force: fieldLine,
  watermark: (controller, line, into) => {
    const [high = Number.NaN, low = Math.max(0, high - 0.1)] = line.args.map(({ text }) => Number(text))
    if (line.args.length > 2 || !(high > 0 && high <= 1 && low >= 0 && low <= high))
      controller.fail(
        line,
        'watermark needs a load from 0 to 1 from which a node gets no new clients, and may have a lower one at which it does again, such as watermark 0.8 0.7',
      )
    into.watermark = { high, low }
  },
  ecs: (controller, line, into) => void (into.ecs = believed(controller, line)),
  explain: (controller, line, into) => void (into.explain = believed(controller, line)),
  bucket: (controller, line, into) => {
    const [v4 = Number.NaN, v6 = 56] = line.args.map(({ text }) => Number(text))
    const isWhole = Number.isInteger(v4) && Number.isInteger(v6)
    if (line.args.length > 2 || !isWhole || v4 < 0 || v4 > 32 || v6 < 0 || v6 > 128)
      controller.fail(line, 'bucket needs lengths of prefixes for IPv4 and IPv6, such as bucket 24 56')
    into.bucketBits = { v4, v6 }
  },
  heartbeat: (controller, line, into) => {
    into.staleMs = durationOf(controller, line)
    if (into.staleMs < 1000) controller.fail(line, 'heartbeat needs at least 1s')
  },
  ttl: (controller, line, into) => {
    const { text } = only(controller, line, 'a number of seconds')
    if (!/^\d{1,5}$/.test(text) || Number(text) > TTL_MAX)
      controller.fail(line, `ttl needs a number of seconds from 0 to ${TTL_MAX}, such as ttl 30`)
    into.ttlSeconds = Number(text)
  },
  'all-down': (controller, line, into) => {
    const { text } = only(controller, line, 'open or closed')
    if (text !== 'open' && text !== 'closed')
      return controller.fail(line, `all-down is open or closed, not '${text}'`)
    into.allDown = text
  },
}

export function edgeConfigOf(controller: DnsController, line: CorefileLine): EdgeConfig {
  const into: Draft = {
    line,
    names: namesOf(controller, line),
    drafts: [],
    nodesFile: undefined,
    fields: [],
    geoFiles: [],
    overrides: [],
    overrideWords: [],
    pipeline: parsePipeline(FILTERS_DEFAULT) as Pipeline,
    watermark: { high: 0.8, low: 0.7 },
    ecs: 'off',
    explain: CidrSet.of(NEAR),
    bucketBits: { v4: 24, v6: 56 },
    staleMs: 15_000,
    ttlSeconds: 30,
    allDown: 'open',
  }
  for (const inner of line.block ?? []) {
    const name = inner.name.text
    if (!Object.hasOwn(READERS, name)) return unknownProperty(controller, inner, Object.keys(READERS))
    READERS[name]!(controller, inner, into)
  }
  if (into.drafts.length === 0 && !into.nodesFile)
    controller.fail(line, 'no node: expected lines such as node gru1 192.0.2.1, or nodes FILE')
  return into
}

function namesOf(controller: DnsController, line: CorefileLine): DnsName[] {
  if (line.args.length === 0) return [...controller.zones]
  return line.args.map((word) => {
    let name: DnsName
    try {
      name = DnsName.parse(word.text.toLowerCase())
    } catch (error) {
      if (error instanceof DnsNameError) return controller.fail(word, error.message)
      throw error
    }
    if (!controller.zones.some((zone) => name.isWithin(zone)))
      controller.fail(
        word,
        `${word.text} is in none of the zones of this server block: queries for it do not come here`,
      )
    return name
  })
}

function nodeOf(controller: DnsController, line: CorefileLine, others: readonly NodeDraft[]): NodeDraft {
  const [name, ...addresses] = line.args
  if (!name) return controller.fail(line, 'node needs a name, such as node gru1 192.0.2.1')
  if (!isNodeName(name.text))
    controller.fail(name, `'${name.text}' is no name of a node: expected letters, digits, dots and hyphens`)
  if (others.some((other) => other.name === name.text))
    controller.fail(name, `node '${name.text}' stands twice`)
  const draft = draftOf(name.text)
  const set = (where: CorefileWord, field: string, words: readonly CorefileWord[]) => {
    const wrong = setField(
      draft,
      field,
      words.map(({ text }) => text),
    )
    if (wrong !== undefined) controller.fail(where, `node '${name.text}': ${wrong}`)
  }
  if (addresses.length > 0) set(name, 'address', addresses)
  for (const inner of line.block ?? []) set(inner.name, inner.name.text, inner.args)
  return draft
}

function fieldLine(controller: DnsController, line: CorefileLine, into: Draft): void {
  const [node, ...words] = line.args
  if (!node) return controller.fail(line, `${line.name.text} needs a node, and what is to hold for it`)
  const field = { node, field: line.name.text, words: words.map(({ text }) => text) }
  const wrong = setField(draftOf(node.text), field.field, field.words)
  if (wrong !== undefined) controller.fail(line, wrong)
  into.fields.push(field)
}

function believed(controller: DnsController, line: CorefileLine): Believed {
  const words = line.args[0]?.text === 'allow' ? line.args.slice(1) : line.args
  const [first] = words
  if (!first) return controller.fail(line, `${line.name.text} needs networks, or any, or off`)
  if (words.length === 1 && (first.text === 'any' || first.text === 'off')) return first.text
  return new CidrSet(
    words.map(
      (word) =>
        parseCidr(word.text) ??
        controller.fail(
          word,
          `'${word.text}' is no network: expected one such as 10.0.0.0/8, or any, or off`,
        ),
    ),
  )
}

function only(controller: DnsController, line: CorefileLine, what: string): CorefileWord {
  const [word] = line.args
  if (!word || line.args.length > 1) return controller.fail(line, `${line.name.text} needs ${what}`)
  return word
}
