/** Tables about networks in MaxMind's format, as a test needs them: a handful of prefixes, each in a numbered network. */
import { parseCidr } from '../../src/base/cidr.ts'

type Node = { sides: [Node | number | undefined, Node | number | undefined] }

/** Records of 28 bits unless said. */
export function mmdbOf(networks: Readonly<Record<string, number>>, recordBits: 24 | 28 | 32 = 28): Buffer {
  const root: Node = { sides: [undefined, undefined] }
  const values: Buffer[] = []
  let dataBytes = 0
  for (const [prefix, number] of Object.entries(networks)) {
    insert(root, prefix, dataBytes)
    const value = map({
      autonomous_system_number: uint32(number),
      autonomous_system_organization: text(`AS ${number}`),
    })
    values.push(value)
    dataBytes += value.length
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
    database_type: text('GeoLite2-ASN'),
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
