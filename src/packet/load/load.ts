/** A program of one's own on a network interface: compiled, verified, attached. */
import { basename } from 'node:path'
import { EdgeError } from '../../base/errors.ts'
import { nearest } from '../../base/nearest.ts'
import { attach, type WantedMode } from '../attaching.ts'
import { type Libbpf, loadLibbpf, type XdpLink } from '../libbpf.ts'
import { BpfFailure } from '../libbpf-failure.ts'
import type { BpfObject, BpfProgram } from '../libbpf-object.ts'
import type { MapShape } from '../libbpf-map.ts'
import { NO_RIGHTS } from '../refusal.ts'
import { type Btf, readBtf } from './btf.ts'
import { compile, type CompileOptions, type Compiled, MAPS_HINT } from './compiling.ts'
import { LoadedMap } from './loaded-map.ts'
import { LoadedProgram } from './loaded-program.ts'
import { mapRefused } from './map-refused.ts'
import { ProgramRefused } from './program-refused.ts'
import { complaintOf } from './verifier-complaint.ts'
import { encloseReason, Watching } from './watching.ts'

export interface LoadOptions extends CompileOptions {
  /** Name of the network interface: `eth0`. */
  readonly interface: string
  /** The function to attach; may be left out where there is one program alone. */
  readonly function?: string | undefined
  /** `native`: in the driver. `generic`: in the network stack. `offload`: on the card. `auto`, the default: native where it can be, else generic. */
  readonly mode?: WantedMode | undefined
}

/**
 * Compiles `file` with clang (or takes an object, `.o`), has the kernel verify it, and attaches it to an interface. A program that is there
 * already is never replaced.
 *
 * Rejects with an `EdgeError`: `file-unreadable`; `program-invalid`, where clang or the verifier has something against it, with the place in
 * the source (`ProgramRefused`, whose `problems` are for programs); `interface-refused`; `packet-unavailable`, where there is no libbpf, no
 * clang, or this process may not. Options of another type are a `TypeError`.
 */
export async function load(file: string, options: LoadOptions): Promise<LoadedProgram> {
  checkOptions(file, options)
  const libbpf = libbpfOrThrow()
  const { interface: name, mode = 'auto' } = options
  if (libbpf.interfaceIndex(name) === undefined) throw refusedInterface(libbpf, name)
  const compiled = await compile(file, options)
  const object = open(libbpf, file, compiled)
  let watching: Watching | undefined
  try {
    const program = choose(file, object, options.function)
    loadInto(libbpf, object, program, name, mode, file, compiled.source)
    watching = new Watching(libbpf)
    const counted = enclose(watching, program, object, mode)
    const attaching = attach(libbpf, counted.fd, name, mode)
    if (attaching.kind === 'refused') throw new EdgeError('interface-refused', `${name}: ${attaching.reason}`)
    const note = attaching.note === undefined ? [] : [`in the network stack: ${attaching.note}`]
    const uncounted = counted.reason === undefined ? [] : [uncountedNote(counted.reason)]
    const isDown = libbpf.interfaceIsUp(name) === false
    const down = isDown ? [`no packet comes while ${name} is down: \`ip link set ${name} up\``] : []
    return new LoadedProgram({
      libbpf,
      object,
      watching,
      link: attaching.link as XdpLink,
      fd: counted.fd,
      name: program.name,
      interface: name,
      maps: mapsOf(libbpf, object),
      notes: [...note, ...uncounted, ...down],
      uncounted: counted.reason,
    })
  } catch (error) {
    watching?.close()
    object.close()
    throw error
  }
}

const MODES: readonly WantedMode[] = ['auto', 'native', 'generic', 'offload']

/** For those who have no compiler that looks: C takes what it is given. */
function checkOptions(file: unknown, options: LoadOptions | undefined): void {
  const { interface: name, function: wanted, mode = 'auto' } = options ?? ({} as Partial<LoadOptions>)
  if (typeof file !== 'string') throw new TypeError('load: give the path of a program first')
  if (typeof name !== 'string' || name === '') {
    throw new TypeError("load: name the network interface, as in { interface: 'eth0' }")
  }
  if (wanted !== undefined && typeof wanted !== 'string')
    throw new TypeError('load: function is the name of one')
  if (!MODES.includes(mode))
    throw new TypeError(`load: mode is one of ${MODES.join(', ')}, not ${String(mode)}`)
}

function libbpfOrThrow(): Libbpf {
  const result = loadLibbpf()
  if (result.kind === 'loaded') return result.libbpf
  throw new EdgeError('packet-unavailable', result.reason, { hint: NEEDED })
}

/** Before anything is compiled, in the words of `attach`. */
function refusedInterface(libbpf: Libbpf, name: string): EdgeError {
  const attaching = attach(libbpf, -1, name, 'generic')
  const reason = attaching.kind === 'refused' ? attaching.reason : 'there is no such interface'
  return new EdgeError('interface-refused', `${name}: ${reason}`)
}

function open(libbpf: Libbpf, file: string, { object, source }: Compiled): BpfObject {
  try {
    return libbpf.open(object, basename(file).replace(/\.\w+$/, ''))
  } catch (error) {
    if (!(error instanceof BpfFailure)) throw error
    throw refusedBy(error, file, source, [])
  }
}

/** The program of that name, or the only one; no other is loaded, but where programs call each other. */
function choose(file: string, object: BpfObject, wanted: string | undefined): BpfProgram {
  const programs = object.programs.filter((program) => program.isXdp || program.isUntyped)
  const names = programs.map(({ name }) => name)
  const listed = `its programs are ${names.join(', ')}`
  if (programs.length === 0) {
    const others = object.programs.map(({ name, section }) => `${name} (SEC("${section}"))`).join(', ')
    const message = `it holds no XDP program${others === '' ? '' : `; it holds ${others}`}`
    throw new ProgramRefused(file, undefined, [{ message }], NO_PROGRAM_HINT)
  }
  const other = object.programs.find(({ name }) => name === wanted)
  if (other && !programs.includes(other)) {
    const message = `${other.name} is no XDP program: its section is "${other.section}"`
    throw new ProgramRefused(file, undefined, [{ message }], NO_PROGRAM_HINT)
  }
  const [only] = programs
  const chosen = wanted === undefined ? only! : programs.find(({ name }) => name === wanted)
  if (!chosen) {
    const meant = nearest(wanted!, names)
    const guess = meant === undefined ? '' : `; did you mean ${meant}?`
    throw new ProgramRefused(file, undefined, [
      { message: `there is no program "${wanted}"; ${listed}${guess}` },
    ])
  }
  if (wanted === undefined && programs.length > 1) {
    throw new ProgramRefused(file, undefined, [{ message: `say which function: ${listed}` }])
  }
  const callEachOther = object.maps.some(({ type }) => type === 'prog_array')
  for (const program of object.programs) {
    if (program !== chosen && !(callEachOther && program.isXdp)) program.setLoaded(false)
  }
  if (chosen.isUntyped) chosen.setXdp()
  return chosen
}

const NEEDED =
  'it asks for Linux 5.10 or later, libbpf 1.0 or later (Debian: `apt install libbpf1`), and root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON'

const RIGHTS_HINT = 'run it as root (`sudo`), or give it these capabilities'

const NO_PROGRAM_HINT =
  'an XDP program is a function such as `SEC("xdp") int count(struct xdp_md *ctx)`, and not static'

function loadInto(
  libbpf: Libbpf,
  object: BpfObject,
  program: BpfProgram,
  name: string,
  mode: WantedMode,
  file: string,
  source: string | undefined,
): void {
  if (mode === 'offload') program.setInterface(libbpf.interfaceIndex(name)!)
  try {
    object.load()
  } catch (error) {
    if (!(error instanceof BpfFailure)) throw error
    const isComplaint = complaintOf(error.log, file, source) !== undefined
    if (mode === 'offload' && !isComplaint && /^E(?:OPNOTSUPP|NOTSUP|INVAL)$/.test(error.code ?? '')) {
      throw new EdgeError('interface-refused', `${name}: its card does not take XDP programs`)
    }
    throw refusedBy(error, file, source, object.maps)
  }
}

/** The program as it is to be attached, and why its actions are not counted where that cannot be. */
function enclose(
  watching: Watching,
  program: BpfProgram,
  object: BpfObject,
  mode: WantedMode,
): { readonly fd: number; readonly reason?: string } {
  if (mode === 'offload') return { fd: program.fd, reason: 'it runs on the card' }
  try {
    return { fd: watching.enclose(program, object.btfFd) }
  } catch (error) {
    if (!(error instanceof BpfFailure)) throw error
    return { fd: program.fd, reason: encloseReason(error) }
  }
}

/** What is counted and what is printed are told apart by the same means. */
const uncountedNote = (reason: string): string =>
  `actions are not counted, and lines that other programs print are shown among its own: ${reason}`

function mapsOf(libbpf: Libbpf, object: BpfObject): Readonly<Record<string, LoadedMap>> {
  const bytes = object.btf()
  let btf: Btf | undefined
  try {
    btf = bytes && readBtf(bytes)
  } catch {
    // Of another kind than this knows: what is in maps is shown in hex.
  }
  const maps: Record<string, LoadedMap> = Object.create(null) as Record<string, LoadedMap>
  for (const map of object.maps) maps[map.name] = new LoadedMap(libbpf, map, btf)
  return maps
}

/** What libbpf or the kernel has against it. */
function refusedBy(
  failure: BpfFailure,
  file: string,
  source: string | undefined,
  maps: readonly MapShape[],
): EdgeError {
  const complaint = complaintOf(failure.log, file, source)
  if (complaint) return new ProgramRefused(file, source, [complaint], complaint.hint)
  if (failure.isRights) {
    return new EdgeError('packet-unavailable', NO_RIGHTS, { cause: failure, hint: RIGHTS_HINT })
  }
  const map = mapRefused(failure.log, maps, source)
  if (map) return new ProgramRefused(file, source, [map], map.hint)
  const said = failure.log
    .split('\n')
    .map((line) => line.replace(/^libbpf: /, ''))
    .filter((line) => line !== '' && !/^failed to load object|^(?:elf: )?skipping/.test(line))
  const hint = LOAD_HINTS.find(([pattern]) => pattern.test(failure.log))?.[1]
  return new ProgramRefused(file, source, [{ message: said[0] ?? failure.message }], hint)
}

const LOAD_HINTS: readonly (readonly [RegExp, string])[] = [
  [/legacy map|maps section|bpf_map_def/i, MAPS_HINT],
  [
    /failed to find valid kernel BTF|CO-RE/i,
    'it asks for the types of this kernel (/sys/kernel/btf/vmlinux)',
  ],
]
