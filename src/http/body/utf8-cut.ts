/** Where a piece of UTF-8 may be cut: before a character that has not come whole. */

/** The length of `bytes` without the beginning of a character whose rest is still to come. What is no UTF-8 is not held back. */
export function wholeCharacters(bytes: Buffer): number {
  const end = bytes.length
  for (let back = 1; back <= 3 && back <= end; back++) {
    const byte = bytes[end - back]!
    if (byte < 0x80) return end
    if (byte < 0xc0) continue
    const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
    return needs > back ? end - back : end
  }
  return end
}
