/** A program's source compiled by clang for BPF, or an object that was compiled before, read. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { arch } from 'node:os'
import { basename, dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EdgeError } from '../../base/errors.ts'
import { isBcc, rewriteBcc } from './bcc-source.ts'
import { eventTypes } from './event-types.ts'
import { ProgramRefused } from './program-refused.ts'
import type { SourceProblem } from './source-problem.ts'

export interface Compiled {
  readonly object: Buffer
  /** Undefined of an object. */
  readonly source: string | undefined
  /** Written for BCC. */
  readonly isBcc: boolean
}

export interface CompileOptions {
  /** The compiler; `clang` where nothing is said. */
  readonly clang?: string | undefined
  /** Macros, as `-D NAME=VALUE` of the compiler. */
  readonly define?: Readonly<Record<string, string | number>> | undefined
}

const PRELUDE = fileURLToPath(new URL('bcc.h', import.meta.url))
const ELF = Buffer.from([0x7f, 0x45, 0x4c, 0x46])
/**
 * What clang does not know when it compiles for BPF: the folder in which Debian keeps `asm/types.h`, and the macro by which the headers of libc
 * know the machine. The last is the machine's name for `bpf_tracing.h`.
 */
const MACHINES: Readonly<Record<string, readonly [folder: string, macro: string, target: string]>> = {
  x64: ['x86_64-linux-gnu', '__x86_64__', 'x86'],
  arm64: ['aarch64-linux-gnu', '__aarch64__', 'arm64'],
  riscv64: ['riscv64-linux-gnu', '__riscv', 'riscv'],
}

function machineFlags(): readonly string[] {
  const machine = MACHINES[arch()]
  if (!machine) return []
  const [folder, macro, target] = machine
  const headers = `/usr/include/${folder}`
  const found = existsSync(headers) ? ['-idirafter', headers] : []
  return [...found, `-D${macro}=1`, `-D__TARGET_ARCH_${target}`]
}

const FLAGS = [
  '-O2',
  '-g',
  '-target',
  'bpf',
  '-Wall',
  '-Wno-unused-function',
  '-Wno-unknown-attributes',
  '-Werror=implicit-function-declaration',
  '-fno-caret-diagnostics',
  '-fno-color-diagnostics',
  '-fno-diagnostics-show-option',
]

/** Throws a `ProgramRefused` that names what is wrong, by file and line. */
export async function compile(
  file: string,
  { clang = 'clang', define = {} }: CompileOptions = {},
): Promise<Compiled> {
  const bytes = await read(file)
  if (bytes.subarray(0, 4).equals(ELF)) return { object: bytes, source: undefined, isBcc: false }
  if (file.endsWith('.o')) throw new EdgeError('file-unreadable', `${file} is no object file (ELF)`)
  // A mark of byte order, as some editors write, is none of the program.
  const source = bytes.toString('utf8').replace(/^\ufeff/, '')
  const forBcc = isBcc(source)
  const { source: written, problems } = forBcc ? rewriteBcc(source) : { source, problems: [] }
  if (problems.length > 0) throw new ProgramRefused(file, source, problems)
  const text = `#line 1 ${JSON.stringify(file)}\n${written}${eventTypes(source)}`
  const macros = Object.entries(define).map(([name, value]) => `-D${name}=${value}`)
  const more = [...macros, ...(forBcc ? ['-include', PRELUDE] : [])]
  const object = await run(clang, more, file, text, source)
  return { object, source, isBcc: forBcc }
}

async function read(file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (error) {
    throw new EdgeError(
      'file-unreadable',
      `${file}: ${(error as Error).message.replace(/^\w+: /, '').split(',')[0]}`,
      {
        cause: error,
      },
    )
  }
}

async function run(
  clang: string,
  more: readonly string[],
  file: string,
  text: string,
  source: string,
): Promise<Buffer> {
  const own = ['-I', dirname(resolve(file))]
  const child = spawn(
    clang,
    [...FLAGS, ...own, ...machineFlags(), ...more, '-x', 'c', '-c', '-', '-o', '-'],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  )
  const [output, said]: [Buffer[], Buffer[]] = [[], []]
  child.stdout.on('data', (part: Buffer) => output.push(part))
  child.stderr.on('data', (part: Buffer) => said.push(part))
  // A compiler that is not there, or gives up early, reads nothing.
  child.stdin.on('error', () => undefined)
  child.stdin.end(text)
  const [code, signal] = await new Promise<readonly [number | null, string | null]>((settle, fail) => {
    child.on('error', (error: NodeJS.ErrnoException) => fail(noCompiler(clang, file, error)))
    child.on('close', (status, signal) => settle([status, signal]))
  })
  const messages = Buffer.concat(said).toString('utf8')
  if (signal !== null)
    throw new ProgramRefused(file, source, [{ message: `${clang} was ended by ${signal}` }])
  if (code !== 0 && messages.trim() !== '') throw refusedBy(messages, file, source)
  const object = Buffer.concat(output)
  if (code === 0 && object.subarray(0, ELF.length).equals(ELF)) return object
  const instead = code === 0 ? 'made no object of it' : `ended with code ${code} and said nothing`
  throw new EdgeError('packet-unavailable', `${clang} ${instead}: is it clang?`, { hint: COMPILER_HINT })
}

const COMPILER_HINT =
  'install clang (Debian: `apt install clang libbpf-dev`), or give an object (.o) that was compiled elsewhere'

function noCompiler(clang: string, file: string, error: NodeJS.ErrnoException): EdgeError {
  const compiles = `which compiles ${basename(file)}`
  const said =
    error.code === 'ENOENT'
      ? `${clang} is not installed, ${compiles}`
      : `${clang}, ${compiles}, cannot be run (${error.code ?? error.message})`
  return new EdgeError('packet-unavailable', said, { cause: error, hint: COMPILER_HINT })
}

/** `file.c:12:3: error: what` */
const MESSAGE = /^(.+?):(\d+):(\d+): (?:fatal )?error: (.*)$/

function refusedBy(messages: string, file: string, source: string): ProgramRefused {
  // What optimizers find they say once for each of their passes.
  const lines = [...new Set(messages.split('\n'))].filter((line) => line !== '')
  const problems = lines.flatMap((line): SourceProblem[] => {
    const [, where, row, column, message] = MESSAGE.exec(line) ?? []
    if (message === undefined) return []
    const place = { line: Number(row), column: Number(column), message }
    return [where === file ? place : { ...place, file: where }]
  })
  // Such as those of the assembler, which have no line.
  const bare = lines.flatMap((line): SourceProblem[] => {
    const [, message] = /^(?:clang: )?error: (.*)$/.exec(line) ?? []
    return message === undefined ? [] : [{ message }]
  })
  const all = [...problems, ...bare]
  return new ProgramRefused(
    file,
    source,
    all.length > 0 ? all : [{ message: lines.join('; ') }],
    hintFor(messages),
  )
}

/** libbpf before 1.0 took maps that are described by their numbers alone. */
export const MAPS_HINT =
  'declare maps by their types: `struct { __uint(type, BPF_MAP_TYPE_HASH); __type(key, __u32); … } name SEC(".maps");`'

function hintFor(messages: string): string | undefined {
  const [, header] = /'([^']+)' file not found/.exec(messages) ?? []
  if (header?.startsWith('bpf/'))
    return 'the headers of libbpf are missing: install libbpf-dev (libbpf-devel)'
  if (header === 'vmlinux.h') {
    return 'make it beside the program: `bpftool btf dump file /sys/kernel/btf/vmlinux format c > vmlinux.h`'
  }
  if (/'(?:struct )?bpf_map_def'/.test(messages)) return MAPS_HINT
  const isOfKernel = /^(?:linux|asm|net)\//.test(header ?? '')
  if (isOfKernel && !header!.startsWith('net/') && !existsSync('/usr/include/linux/bpf.h')) {
    return 'the headers of the kernel for programs are missing: install linux-libc-dev'
  }
  if (isOfKernel) {
    return 'headers of the kernel itself are not there for programs; leave it out, write down what you need of it, or take vmlinux.h'
  }
  if (/'license' is already defined|license changed binding/.test(messages)) {
    return 'call the variable `_license`: `license` is the name of its section'
  }
  return undefined
}
