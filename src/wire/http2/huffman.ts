/**
 * The Huffman code of HPACK (RFC 7541, appendix B), read bit by bit along a tree.
 *
 * The code is canonical: codes of one length follow each other in the order of their symbols, so the lengths say all of it. We only read
 * it: what we send is short and compared by whole blocks, so that squeezing it would cost more than the bytes.
 */

/** Bits of the code of each byte, and of the end of the string. */
const LENGTHS = `
  13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28
  6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10
  13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6
  15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7 7 7 7 15 11 14 13 28
  20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23 24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24
  22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23 21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23
  26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24 21 21 26 26 28 27 27 27
  20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26
  30
`
  .trim()
  .split(/\s+/)
  .map(Number)

const END = 256
/** Two entries a node: where 0 and 1 lead; a symbol is stored as its complement. */
const tree = buildTree()

function buildTree(): Int16Array {
  const nodes: number[] = [0, 0]
  const symbols = LENGTHS.map((_, symbol) => symbol).toSorted((a, b) => LENGTHS[a]! - LENGTHS[b]! || a - b)
  let code = 0
  let length = LENGTHS[symbols[0]!]!
  for (const symbol of symbols) {
    // Codes have up to 30 bits: below 2^31, so shifts are safe.
    code <<= LENGTHS[symbol]! - length
    length = LENGTHS[symbol]!
    let node = 0
    for (let bit = length - 1; bit > 0; bit -= 1) {
      const at = node * 2 + ((code >> bit) & 1)
      if (nodes[at] === 0) {
        nodes[at] = nodes.length / 2
        nodes.push(0, 0)
      }
      node = nodes[at]!
    }
    nodes[node * 2 + (code & 1)] = ~symbol
    code += 1
  }
  return Int16Array.from(nodes)
}

/** The text, a character a byte; undefined where it is not coded right. */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number): string | undefined {
  let text = ''
  let node = 0
  /** Bits since the last symbol, and whether all of them were 1: only that may stand at the end (§5.2). */
  let open = 0
  let areOnes = true
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at]!
    for (let bit = 7; bit >= 0; bit -= 1) {
      const one = (byte >> bit) & 1
      const next = tree[node * 2 + one]!
      open += 1
      if (one === 0) areOnes = false
      if (next >= 0) {
        node = next
        continue
      }
      const symbol = ~next
      if (symbol === END) return undefined
      text += String.fromCharCode(symbol)
      node = 0
      open = 0
      areOnes = true
    }
  }
  return open < 8 && areOnes ? text : undefined
}
