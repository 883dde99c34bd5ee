/**
 * What the kernel's verifier has against a program, shortened to what matters.
 *
 * Its log holds each instruction that it followed, with the state of all registers, and says at the end what is wrong with the last one. Of
 * that are kept: the line of the source, the instruction, the reason; and what usually helps.
 */
import { basename } from 'node:path'
import type { SourceProblem } from './source-problem.ts'

export interface Complaint extends SourceProblem {
  readonly hint: string | undefined
}

/** `12: (71) r0 = *(u8 *)(r1 +0)`, with a state behind or without. */
const INSTRUCTION = /^(\d+): \([0-9a-f]{2}\) (.*?)(?:\s+;.*)?$/
/** `; return data[0]; @ file.c:12`, where older kernels leave out the place. */
const SOURCE = /^; (?:@ .*?:0$|(.*?)(?: @ (\S.*?):(\d+))?)$/
const NOISE =
  /^(?:processed \d+|verification time|stack depth|func#|mark_precise|frame\d|from \d+|last_idx|regs=|parent |arg#|caller:|callee:|cur state:|old state:|math between$|R\d+(?:_w)?=|\d+: R\d|\d+: safe$|\d+: frame|-- (?:BEGIN|END))/

const LOOP = / ?(infinite loop detected.*)$/

const HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /!root|pointer [-+]= pointer prohibited|CAP_(?:BPF|PERFMON)/,
    'the kernel allows this to root alone, or with CAP_PERFMON',
  ],
  [
    /invalid access to packet, off=655\d\d /,
    'the verifier follows a packet for 65535 bytes: a loop over it needs a bound, `for (int i = 0; i < 1500; i++)`, beside the comparison with its end',
  ],
  [
    /invalid access to packet|pkt pointer|offset is outside of the packet/i,
    'compare with the end of the packet first: `if ((void *)(header + 1) > (void *)(long)ctx->data_end) return XDP_PASS;`',
  ],
  [
    /invalid mem access '(?:map_value_or_null|.*_or_null)'/,
    'what a lookup returns may be NULL: test it before it is used',
  ],
  [
    /GPL[- ](?:restricted|only|compatible)|from non-GPL/i,
    'give the program a license: `char _license[] SEC("license") = "GPL";`',
  ],
  [
    /back-edge|infinite loop|too many jumps|loop detected/i,
    'a loop needs a bound that the verifier sees: `for (int i = 0; i < 8; i++)`',
  ],
  [
    /program is too large|BPF program is too|complexity limit|sequence of \d+ jumps/i,
    'it is too much to follow: make loops shorter, or split the program with tail calls',
  ],
  [
    /Unreleased reference|reference leak/i,
    'what was reserved must be submitted or discarded on every way out',
  ],
  [
    /stack size|invalid (?:indirect )?(?:read|write|access).*stack|stack.*invalid/i,
    'the stack has 512 bytes, and what is read of it must have been written: set structs to zero with `= {}`',
  ],
  [
    /invalid access to map value|map_value pointer|outside of the allowed memory range|unbounded memory access|make sure to bounds check/i,
    'limit the index where the verifier sees it: `index &= SIZE - 1`, or `if (index >= SIZE) return XDP_PASS;`',
  ],
  [/R0 !read_ok|R\d+ !read_ok/, 'a value is used that was not set on every way there'],
  [/unknown func|invalid func|cannot use helper/i, 'this kernel, or an XDP program, has no such function'],
  [
    /invalid bpf_context access/,
    'of `struct xdp_md` there is data, data_end, data_meta, ingress_ifindex, rx_queue_index and egress_ifindex, and none of them can be written',
  ],
]

/** Undefined where the log is none of the verifier's. */
export function complaintOf(log: string, file: string, source: string | undefined): Complaint | undefined {
  const text = /-- BEGIN PROG LOAD LOG --\n([\s\S]*?)-- END PROG LOAD LOG --/.exec(log)?.[1]
  if (text === undefined) return undefined
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const at = lines.findLastIndex((line) => INSTRUCTION.test(line))
  // This one stands behind the instruction, on the same line.
  const loop = LOOP.exec(lines[at] ?? '')?.[1]
  const told = lines.slice(at + 1).filter((line) => !NOISE.test(line) && !line.startsWith('; '))
  const reasons = [...(loop === undefined ? [] : [loop]), ...told]
  const reason =
    reasons.length > 0
      ? reasons.join('\n')
      : (lines.findLast((line) => !NOISE.test(line)) ?? 'it gave no reason')
  const instruction = INSTRUCTION.exec((lines[at] ?? '').replace(LOOP, ''))
  const shown = instruction ? [`instruction ${instruction[1]}: ${instruction[2]}`] : []
  const place = placeIn(lines.slice(0, at + 1), file, source)
  const [first = '', ...rest] = reason.split('\n')
  const message = [`the verifier refuses it: ${first}`, ...(place.text ?? []), ...shown, ...rest].join('\n')
  const hint = HINTS.find(([pattern]) => pattern.test(reason))?.[1]
  return { message, hint, line: place.line, column: place.column }
}

interface Place {
  readonly line?: number
  readonly column?: number
  /** The line, where only its text is known. */
  readonly text?: readonly string[]
}

function placeIn(lines: readonly string[], file: string, source: string | undefined): Place {
  const match = lines.map((line) => SOURCE.exec(line)).findLast((found) => found?.[1] !== undefined)
  const [, text, where, row] = match ?? []
  if (text === undefined) return {}
  const rows = source?.split('\n') ?? []
  // A line may come from a header, and a kernel before 6.9 does not say from where it comes.
  const isOurs = where !== undefined && basename(where) === basename(file)
  const alike = rows.flatMap((one, at) => (one.trim() === text.trim() ? [at + 1] : []))
  const line = isOurs && rows.length > 0 ? Number(row) : alike.length === 1 ? alike[0] : undefined
  if (line === undefined) return { text: [`in: ${text}${where === undefined ? '' : ` (${where}:${row})`}`] }
  return { line, column: (/\S/.exec(rows[line - 1] ?? '')?.index ?? 0) + 1 }
}
