/** A map that the kernel does not make: which one, where it is declared, and what of it is most likely in the way. */
import { placeOf } from '../../base/excerpt.ts'
import type { MapShape } from '../libbpf-map.ts'
import { masked } from './bcc-source.ts'
import type { SourceProblem } from './source-problem.ts'

/** `map 'counts': failed to create: Invalid argument(-22)` */
const REFUSED = /map '([^']+)': failed to create: (.*?)\(?(-\d+)?\)?$/m

export interface MapRefused extends SourceProblem {
  readonly hint: string
}

/** Undefined where the log of libbpf speaks of no map. */
export function mapRefused(
  log: string,
  maps: readonly MapShape[],
  source: string | undefined,
): MapRefused | undefined {
  const [, name, said] = REFUSED.exec(log) ?? []
  if (name === undefined) return undefined
  const map = maps.find((one) => one.name === name)
  const message = `the kernel does not make the map ${name}: ${said}`
  return { message, hint: hintFor(map, said ?? ''), ...declaredAt(name, source) }
}

function hintFor(map: MapShape | undefined, said: string): string {
  if (!map) return 'look at its sizes and flags'
  const { type, entriesMax, keyBytes, valueBytes } = map
  if (/allocate|too long|too big|ENOMEM|E2BIG/i.test(said)) {
    return `${entriesMax} entries, each with a key of ${keyBytes} and a value of ${valueBytes} bytes, are more than there is room for`
  }
  if (type === 'lpm_trie') {
    return 'an LPM trie asks for `__uint(map_flags, BPF_F_NO_PREALLOC)`, and for a key that begins with the length of the prefix, a `__u32`'
  }
  if (type === 'ringbuf')
    return 'the size of a ring buffer is `__uint(max_entries, 1 << 18)`, and it has no key and no value'
  if (entriesMax === 0)
    return 'it has room for nothing: say how many entries it may hold, `__uint(max_entries, 1024)`'
  if (keyBytes === 0 || valueBytes === 0) {
    return 'it has no key or no value: `__type(key, __u32); __type(value, __u64);`'
  }
  return `look at its sizes and flags: ${entriesMax} entries, each with a key of ${keyBytes} and a value of ${valueBytes} bytes`
}

function declaredAt(name: string, source: string | undefined): { line?: number; column?: number } {
  if (source === undefined) return {}
  const declaration = new RegExp(`\\b${name}\\s+SEC\\s*\\(|\\bBPF_[A-Z_]+\\s*\\([^;]*?\\b${name}\\b`)
  const found = declaration.exec(masked(source))
  return found ? placeOf(source, found.index) : {}
}
