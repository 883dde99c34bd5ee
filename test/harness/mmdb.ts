/** Tables about networks in MaxMind's format, as a test needs them: a handful of prefixes, each in a numbered network. */
import { parseCidr } from '../../src/base/cidr.ts'

type Node = { sides: [Node | number | undefined, Node | number | undefined] }

/** What a test may say of a network. Numbers are written as doubles, but for whole ones. */
export type MmdbData = string | number | boolean | { readonly [key: string]: MmdbData } | readonly MmdbData[]

/** A table of numbers of networks. Records of 28 bits unless said. */
export function mmdbOf(networks: Readonly<Record<string, number>>, recordBits: 24 | 28 | 32 = 28): Buffer {
  const values = Object.entries(networks).map(
    ([prefix, number]) =>
      [prefix, { autonomous_system_number: number, autonomous_system_organization: `AS ${number}` }] as const,
  )
  return mmdbWith(values, 'GeoLite2-ASN', recordBits)
}

/** A table of anything. Equal values lie in the file once, as MaxMind has it. Prefixes do not lie in each other. */
export function mmdbWith(
  networks: Iterable<readonly [prefix: string, value: MmdbData]>,
  databaseType: string,
  recordBits: 24 | 28 | 32 = 28,
): Buffer {
  const root: Node = { sides: [undefined, undefined] }
  const values: Buffer[] = []
  const known = new Map<string, number>()
  let dataBytes = 0
  for (const [prefix, data] of networks) {
    const key = JSON.stringify(data)
    let at = known.get(key)
    if (at === undefined) {
      at = dataBytes
      known.set(key, at)
      const value = bytesOf(data)
      values.push(value)
      dataBytes += value.length
    }
    insert(root, prefix, at)
  }
  const nodes: Node[] = []
  const numbers = new Map<Node, number>()
  const visit = (node: Node): void => {
    numbers.set(node, nodes.length)
    nodes.push(node)
    for (const side of node.sides) if (typeof side === 'object') visit(side)
  }
  visit(root)
  const record = (side: Node | number | undefined): number => {
    if (side === undefined) return nodes.length
    return typeof side === 'number' ? nodes.length + 16 + side : numbers.get(side)!
  }
  const tree = nodes.map(({ sides }) => nodeBytes(record(sides[0]), record(sides[1]), recordBits))
  const metadata = map({
    node_count: uint32(nodes.length),
    record_size: uint32(recordBits),
    ip_version: uint32(6),
    database_type: text(databaseType),
  })
  const marker = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1')
  return Buffer.concat([...tree, Buffer.alloc(16), ...values, marker, metadata])
}

/** IPv4 lies behind 96 zero bits. */
function insert(root: Node, prefix: string, data: number): void {
  const { family, first } = parseCidr(prefix)!
  const length = Number(prefix.split('/')[1]) + (family === 4 ? 96 : 0)
  let node = root
  for (let bit = 0; bit < length; bit++) {
    const side = (first[bit >> 5]! >>> (31 - (bit & 31))) & 1
    if (bit === length - 1) node.sides[side] = data
    else node = (node.sides[side] ??= { sides: [undefined, undefined] }) as Node
  }
}

function nodeBytes(left: number, right: number, bits: 24 | 28 | 32): Buffer {
  const bytes = Buffer.alloc(bits / 4)
  if (bits === 28) {
    bytes.writeUIntBE(left & 0xffffff, 0, 3)
    bytes[3] = ((left >>> 24) << 4) | (right >>> 24)
    bytes.writeUIntBE(right & 0xffffff, 4, 3)
  } else {
    bytes.writeUIntBE(left, 0, bits / 8)
    bytes.writeUIntBE(right, bits / 8, bits / 8)
  }
  return bytes
}

function bytesOf(data: MmdbData): Buffer {
  if (typeof data === 'string') return text(data)
  if (typeof data === 'boolean') return Buffer.from([data ? 1 : 0, 14 - 7])
  if (typeof data === 'number') return Number.isInteger(data) && data >= 0 ? uint32(data) : double(data)
  if (Array.isArray(data))
    return Buffer.concat([Buffer.from([data.length, 11 - 7]), ...data.map((item) => bytesOf(item))])
  return map(Object.fromEntries(Object.entries(data).map(([key, value]) => [key, bytesOf(value)])))
}

function double(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value)
  return Buffer.concat([head(3, 8), bytes])
}

const head = (type: number, size: number): Buffer =>
  size < 29 ? Buffer.from([(type << 5) | size]) : Buffer.from([(type << 5) | 29, size - 29])
const text = (value: string): Buffer => Buffer.concat([head(2, Buffer.byteLength(value)), Buffer.from(value)])
const map = (entries: Readonly<Record<string, Buffer>>): Buffer =>
  Buffer.concat([
    head(7, Object.keys(entries).length),
    ...Object.entries(entries).flatMap(([key, value]) => [text(key), value]),
  ])

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return Buffer.concat([head(6, 4), bytes])
}
