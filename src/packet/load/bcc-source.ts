/**
 * Programs written for BCC, made into what libbpf takes: `BPF_HASH(counts)` and `counts.increment(port)`, functions without `SEC`.
 *
 * BCC rewrites a program with a compiler of its own. Here macros do most of it (`bcc.h`), and a few places are written anew, each within its
 * line, so that lines keep their numbers. Comments and texts are left alone. What this cannot do is named with its line.
 */
import { placeOf } from '../../base/excerpt.ts'
import type { SourceProblem } from './source-problem.ts'

/** What maps of BCC can do here. */
const METHODS = [
  'lookup',
  'lookup_or_init',
  'lookup_or_try_init',
  'update',
  'insert',
  'delete',
  'increment',
  'atomic_increment',
  'perf_submit',
  'perf_submit_skb',
  'ringbuf_output',
  'ringbuf_reserve',
  'ringbuf_submit',
  'ringbuf_discard',
  'redirect_map',
  'call',
] as const

/** Declarations of maps that `bcc.h` knows. */
const DECLARATIONS = [
  'BPF_HASH',
  'BPF_LRU_HASH',
  'BPF_PERCPU_HASH',
  'BPF_LRU_PERCPU_HASH',
  'BPF_LPM_TRIE',
  'BPF_ARRAY',
  'BPF_PERCPU_ARRAY',
  'BPF_HISTOGRAM',
  'BPF_PERF_OUTPUT',
  'BPF_RINGBUF_OUTPUT',
  'BPF_PROG_ARRAY',
  'BPF_DEVMAP',
  'BPF_CPUMAP',
  'BPF_XSKMAP',
  'BPF_TABLE',
] as const

/** Whether a source is written for BCC: it declares maps as BCC does, or says of no function that it is an XDP program. */
export function isBcc(source: string): boolean {
  const code = masked(source)
  return !/\bSEC\s*\(/.test(code) || DECLARATIONS.some((name) => new RegExp(`\\b${name}\\s*\\(`).test(code))
}

/** The source for libbpf, with as many lines, or what cannot be made of it. */
export function rewriteBcc(source: string): {
  readonly source: string
  readonly problems: readonly SourceProblem[]
} {
  const code = masked(source)
  const edits: Edit[] = []
  const problems: SourceProblem[] = []
  const refuse = (offset: number, message: string) => problems.push({ ...placeOf(source, offset), message })
  const maps = new Set<string>()
  for (const match of code.matchAll(
    /\b(BPF_(?!LICENSE\b|F_|ANY\b|NOEXIST\b|EXIST\b)[A-Z_]+)\s*\(\s*("[^"]*"|\w+)/g,
  )) {
    const [, macro, first] = match as unknown as [string, string, string]
    const isKnown = (DECLARATIONS as readonly string[]).includes(macro)
    if (!isKnown && isDefined(code, macro)) continue
    if (!isKnown)
      refuse(match.index, `${macro} of BCC is not supported; supported are ${DECLARATIONS.join(', ')}`)
    else if (macro === 'BPF_TABLE') table(source, code, match.index, maps, edits, refuse)
    else maps.add(first)
    if (macro === 'BPF_HISTOGRAM') histogram(code, match.index, edits)
  }
  methods(code, maps, edits, refuse)
  for (const match of code.matchAll(/#\s*include\s*<(uapi\/|bcc\/)/g)) {
    const at = match.index + match[0].length - match[1]!.length
    if (match[1] === 'uapi/') edits.push({ from: at, to: at + match[1].length, text: '' })
    else refuse(at, 'headers of BCC are not here; take those of linux/, such as <linux/if_ether.h>')
  }
  // BCC has the texts of prints put into place by its compiler; in libbpf that is what `bpf_printk` does.
  for (const match of code.matchAll(/\bbpf_trace_printk(?=\s*\(\s*")/g)) {
    edits.push({ from: match.index, to: match.index + match[0].length, text: 'bpf_printk' })
  }
  sections(code, edits)
  const licensed = /SEC\s*\(\s*"license"|\bBPF_LICENSE\b/.test(source)
  const license = licensed ? '' : '\nchar bcc_license[] SEC("license") = "GPL";\n'
  return { source: apply(source, edits) + license, problems }
}

interface Edit {
  readonly from: number
  readonly to: number
  readonly text: string
}
type Refuse = (offset: number, message: string) => void

const isDefined = (code: string, macro: string): boolean =>
  new RegExp(`#\\s*define\\s+${macro}\\b`).test(code)

/** `BPF_TABLE("percpu_array", u32, u64, counts, 256)` */
function table(
  source: string,
  code: string,
  from: number,
  maps: Set<string>,
  edits: Edit[],
  refuse: Refuse,
): void {
  const to = code.indexOf(')', from)
  const given = source.slice(from, to)
  const match = /^BPF_TABLE\s*\(\s*"(\w+)"\s*,\s*([^,]+),\s*([^,]+),\s*(\w+)\s*,\s*([^,]+)$/.exec(given)
  const kinds: Readonly<Record<string, string>> = {
    hash: 'BPF_HASH',
    lru_hash: 'BPF_LRU_HASH',
    percpu_hash: 'BPF_PERCPU_HASH',
    lru_percpu_hash: 'BPF_LRU_PERCPU_HASH',
    lpm_trie: 'BPF_LPM_TRIE',
    array: 'BPF_ARRAY',
    percpu_array: 'BPF_PERCPU_ARRAY',
  }
  const macro = match && kinds[match[1]!]
  if (!match || !macro) {
    return refuse(from, `this BPF_TABLE is not supported; it takes ${Object.keys(kinds).join(', ')}`)
  }
  const [, kind, key, value, name, size] = match as unknown as string[]
  maps.add(name!)
  const parts = kind!.endsWith('array') ? [name, value, size] : [name, key, value, size]
  edits.push({ from, to, text: `${macro}(${parts.join(', ')}` })
}

/** One whose keys are not `int` is no array. Without a size, it has room for as many keys as any hash, and not for 64 as in BCC. */
function histogram(code: string, from: number, edits: Edit[]): void {
  const match = /^BPF_HISTOGRAM\s*\(\s*(\w+)\s*,\s*([^,()]+?)\s*(?:,\s*([^,()]+?)\s*)?\)/.exec(
    code.slice(from),
  )
  const [whole, name, key, size] = match ?? []
  if (whole === undefined || key === 'int') return
  const parts = [name, key, 'u64', ...(size === undefined ? [] : [size])]
  edits.push({ from, to: from + whole.length, text: `BPF_HASH(${parts.join(', ')})` })
}

/** `counts.lookup(&key)` becomes `bcc_lookup(counts, &key)`. */
function methods(code: string, maps: ReadonlySet<string>, edits: Edit[], refuse: Refuse): void {
  for (const match of code.matchAll(/\b(\w+)\s*\.\s*(\w+)\s*\(\s*(\))?/g)) {
    const [whole, map, method, isEmpty] = match as unknown as [string, string, string, string | undefined]
    if (!maps.has(map)) continue
    if (!(METHODS as readonly string[]).includes(method)) {
      refuse(match.index, `${map}.${method}() of BCC is not supported; supported are ${METHODS.join(', ')}`)
    } else if (isEmpty === undefined) {
      edits.push({ from: match.index, to: match.index + whole.length, text: `bcc_${method}(${map}, ` })
    }
  }
}

/** Functions that take a packet, and are not `static`, are programs. */
function sections(code: string, edits: Edit[]): void {
  const functions =
    /(^|[;}\n])([ \t]*)((?:[A-Za-z_]\w*[ \t]+)+)\w+\s*\(\s*(?:struct\s+\w+\s*\*\s*\w+|void\s*\*\s*ctx)\s*\)\s*\{/g
  for (const match of code.matchAll(functions)) {
    const [, before, indent, words] = match as unknown as [string, string, string, string]
    if (/\b(?:static|inline|__always_inline|SEC)\b/.test(words)) continue
    const from = match.index + before.length + indent.length
    // On a line of its own above it.
    if (/\bSEC\s*\(\s*"[^"]*"\s*\)$/.test(code.slice(0, from).trimEnd())) continue
    edits.push({ from, to: from, text: 'SEC("xdp") ' })
  }
}

function apply(source: string, edits: readonly Edit[]): string {
  let result = source
  for (const { from, to, text } of edits.toSorted((a, b) => b.from - a.from)) {
    // Lines within what is replaced stay, so that the numbers of those behind do.
    const lines = source.slice(from, to).split('\n').length - text.split('\n').length
    result = result.slice(0, from) + text + '\n'.repeat(Math.max(0, lines)) + result.slice(to)
  }
  return result
}

/** The source with comments and what stands in quotes blanked, and everything else in its place. The quotes stay. */
export function masked(source: string): string {
  const blank = (text: string) => text.replace(/[^\n]/g, ' ')
  return source.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, (found) =>
    found.startsWith('/') ? blank(found) : `${found[0]}${blank(found.slice(1, -1))}${found.at(-1)}`,
  )
}
