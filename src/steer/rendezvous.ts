/**
 * Rendezvous hashing (Thaler and Ravishankar, 1998) with weights: each node has a cost for each prefix, and the cheapest one gets it. So a choice needs no table and is
 * the same on all servers; and when a node goes, its prefixes alone go elsewhere, spread over all that are left.
 *
 * The cost is -ln(u) / weight for a number u of chance that follows from node and prefix: the least of such costs falls on a node as often as its
 * weight is a part of all weights.
 */

/** Bits so mixed that all of them count in each other (the finaliser of MurmurHash3). */
export function mixed(word: number): number {
  let hash = word
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

/** What stands for a node: by its name alone, so that its place in a list means nothing. */
export function nodeSeed(name: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193)
  return mixed(hash)
}

/** What stands for a prefix. The bits behind it are to be zero. */
export function bucketOf(a: number, b: number, c: number, d: number): number {
  return mixed(d ^ mixed(c ^ mixed(b ^ mixed(a ^ 0x9e3779b9))))
}

/** The lower, the rather the prefix goes to the node. A weight of 0 or less counts as next to nothing. */
export function rendezvousCost(seed: number, bucket: number, weight: number): number {
  const chance = ((mixed(seed ^ bucket) >>> 0) + 0.5) / 0x1_0000_0000
  return -Math.log(chance) / Math.max(weight, 1e-9)
}
