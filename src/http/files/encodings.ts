/** Which precompressed sibling of a file a client would rather have (RFC 9110 §12.5.3). */
export type Encoding = 'br' | 'zstd' | 'gzip'

/** Endings of siblings, in the order in which they are taken where the client has no preference. */
export const SIBLINGS: Readonly<Record<Encoding, string>> = { br: '.br', zstd: '.zst', gzip: '.gz' }

/** Those that the client takes, the best first. */
export function acceptedEncodings(field: string | undefined, offered: readonly Encoding[]): Encoding[] {
  if (field === undefined || offered.length === 0) return []
  const weights = new Map<string, number>()
  for (const member of field.toLowerCase().split(',')) {
    const [name = '', ...parameters] = member.split(';').map((part) => part.trim())
    const quality = parameters
      .map((one) => /^q=(\d(?:\.\d{0,3})?)$/.exec(one)?.[1])
      .find((q) => q !== undefined)
    weights.set(name === 'x-gzip' ? 'gzip' : name, quality === undefined ? 1 : Number(quality))
  }
  const weightOf = (encoding: Encoding): number => weights.get(encoding) ?? weights.get('*') ?? 0
  // Better plain than what the client likes less than that.
  const plain = weights.get('identity') ?? 0
  return (Object.keys(SIBLINGS) as Encoding[])
    .filter((encoding) => offered.includes(encoding) && weightOf(encoding) > 0 && weightOf(encoding) >= plain)
    .toSorted((a, b) => weightOf(b) - weightOf(a))
}
