/** What a client takes (RFC 9110 §12.5.3), and which of our codings that makes. */
export const CODINGS = ['zstd', 'br', 'gzip'] as const
export type Coding = (typeof CODINGS)[number]

export interface Wanted {
  /** Undefined: as it is. */
  readonly coding: Coding | undefined
  /** `identity;q=0`: better small and compressed than not acceptable. */
  readonly refusesPlain: boolean
}

const PLAIN: Wanted = { coding: undefined, refusesPlain: false }
/** §12.4.2: `q=` and at most three digits. */
const WEIGHT = /^q=(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i

let lastField = ''
let lastOffered: readonly Coding[] | undefined
let last = PLAIN

/**
 * The coding of those offered that the client likes best; of equals the first. A client that says nothing gets the body as it
 * is, although it could be sent anything: those are mostly scripts. A member that is malformed is as if it were not there.
 */
export function negotiate(field: string | undefined, offered: readonly Coding[]): Wanted {
  if (field === undefined) return PLAIN
  if (field === lastField && offered === lastOffered) return last
  last = choose(parseWeights(field), offered)
  lastField = field
  lastOffered = offered
  return last
}

function parseWeights(field: string): ReadonlyMap<string, number> {
  const weights = new Map<string, number>()
  for (const member of field.split(',')) {
    const [name = '', weight, ...more] = member.split(';').map((part) => part.trim())
    if (name === '' || more.length > 0 || (weight !== undefined && !WEIGHT.test(weight))) continue
    const coding = name.toLowerCase()
    weights.set(coding === 'x-gzip' ? 'gzip' : coding, weight === undefined ? 1 : Number(weight.slice(2)))
  }
  return weights
}

function choose(weights: ReadonlyMap<string, number>, offered: readonly Coding[]): Wanted {
  const rest = weights.get('*')
  const plain = weights.get('identity')
  let coding: Coding | undefined
  let best = 0
  for (const one of offered) {
    const weight = weights.get(one) ?? rest ?? 0
    if (weight <= best) continue
    coding = one
    best = weight
  }
  // Plain is acceptable where nobody says otherwise, and wanted only where somebody does.
  if (plain !== undefined && plain > best) coding = undefined
  return { coding, refusesPlain: plain === 0 || (plain === undefined && rest === 0) }
}

/** Whether the client takes a body that is encoded as this. */
export function accepts(field: string | undefined, coding: string): boolean {
  if (field === undefined) return true
  const weights = parseWeights(field)
  const name = coding.toLowerCase()
  return (weights.get(name === 'x-gzip' ? 'gzip' : name) ?? weights.get('*') ?? 0) > 0
}
