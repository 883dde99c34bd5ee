/** In which order other servers are tried. */
export const POLICIES = ['random', 'round_robin', 'sequential'] as const
export type PolicyName = (typeof POLICIES)[number]

export const isPolicy = (text: string): text is PolicyName => (POLICIES as readonly string[]).includes(text)

/** Gives the first one to try, of `count`; the others follow in their order. */
export function policyFor(name: PolicyName, random: () => number): (count: number) => number {
  if (name === 'sequential') return () => 0
  if (name === 'random') return (count) => Math.floor(random() * count)
  let turn = -1
  return (count) => (turn = (turn + 1) % count)
}
