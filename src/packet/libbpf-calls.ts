/**
 * The functions of libbpf and of libc that the packet plane calls, declared once. Nobody but `libbpf*.ts` imports this.
 *
 * libbpf 1.0 and later is asked for: since then its functions return `-errno`, and its options are structs that begin with their own size, so
 * that one built here is understood by any later version.
 */
import koffi from 'koffi'

/** A pointer, as koffi gives it: an integer, or null. */
export type Pointer = bigint | null

/** What libbpf says while it works: 0 a warning, 1 a piece of information, 2 for its own developers. */
export type PrintCallback = (level: number, format: Pointer, args: Pointer) => number

const DECLARATIONS = {
  libbpf_major_version: 'uint32_t libbpf_major_version()',
  libbpf_version_string: 'const char *libbpf_version_string()',
  libbpf_strerror: 'int libbpf_strerror(int error, void *text, size_t size)',
  libbpf_num_possible_cpus: 'int libbpf_num_possible_cpus()',
  bpf_object__open_mem:
    'void *bpf_object__open_mem(const void *bytes, size_t size, OrlaBpfOpenOptions *options)',
  bpf_object__load: 'int bpf_object__load(void *object)',
  bpf_object__close: 'void bpf_object__close(void *object)',
  bpf_object__btf: 'void *bpf_object__btf(void *object)',
  bpf_object__btf_fd: 'int bpf_object__btf_fd(void *object)',
  bpf_object__next_program: 'void *bpf_object__next_program(void *object, void *before)',
  bpf_object__next_map: 'void *bpf_object__next_map(void *object, void *before)',
  btf__raw_data: 'void *btf__raw_data(void *btf, void *size)',
  bpf_program__name: 'const char *bpf_program__name(void *program)',
  bpf_program__section_name: 'const char *bpf_program__section_name(void *program)',
  bpf_program__type: 'int bpf_program__type(void *program)',
  bpf_program__set_type: 'int bpf_program__set_type(void *program, int type)',
  bpf_program__set_expected_attach_type: 'int bpf_program__set_expected_attach_type(void *program, int type)',
  bpf_program__set_autoload: 'int bpf_program__set_autoload(void *program, bool load)',
  bpf_program__set_attach_target:
    'int bpf_program__set_attach_target(void *program, int targetFd, const char *function)',
  bpf_program__set_ifindex: 'void bpf_program__set_ifindex(void *program, uint32_t interface)',
  bpf_program__insns: 'void *bpf_program__insns(void *program)',
  bpf_program__insn_cnt: 'size_t bpf_program__insn_cnt(void *program)',
  bpf_program__flags: 'uint32_t bpf_program__flags(void *program)',
  bpf_program__expected_attach_type: 'int bpf_program__expected_attach_type(void *program)',
  bpf_program__fd: 'int bpf_program__fd(void *program)',
  bpf_program__attach: 'void *bpf_program__attach(void *program)',
  bpf_link__fd: 'int bpf_link__fd(void *link)',
  bpf_link__destroy: 'int bpf_link__destroy(void *link)',
  bpf_map__name: 'const char *bpf_map__name(void *map)',
  bpf_map__type: 'int bpf_map__type(void *map)',
  bpf_map__fd: 'int bpf_map__fd(void *map)',
  bpf_map__key_size: 'uint32_t bpf_map__key_size(void *map)',
  bpf_map__value_size: 'uint32_t bpf_map__value_size(void *map)',
  bpf_map__max_entries: 'uint32_t bpf_map__max_entries(void *map)',
  bpf_map__set_max_entries: 'int bpf_map__set_max_entries(void *map, uint32_t entries)',
  bpf_map__set_ifindex: 'void bpf_map__set_ifindex(void *map, uint32_t interface)',
  bpf_map__is_internal: 'bool bpf_map__is_internal(void *map)',
  bpf_map__btf_key_type_id: 'uint32_t bpf_map__btf_key_type_id(void *map)',
  bpf_map__btf_value_type_id: 'uint32_t bpf_map__btf_value_type_id(void *map)',
  bpf_map_lookup_elem: 'int bpf_map_lookup_elem(int fd, const void *key, void *value)',
  bpf_map_update_elem: 'int bpf_map_update_elem(int fd, const void *key, const void *value, uint64_t flags)',
  bpf_map_delete_elem: 'int bpf_map_delete_elem(int fd, const void *key)',
  bpf_map_get_next_key: 'int bpf_map_get_next_key(int fd, const void *key, void *next)',
  bpf_map_update_batch:
    'int bpf_map_update_batch(int fd, const void *keys, const void *values, void *count, const void *options)',
  bpf_map_delete_batch:
    'int bpf_map_delete_batch(int fd, const void *keys, void *count, const void *options)',
  bpf_map_create:
    'int bpf_map_create(int type, const char *name, uint32_t keySize, uint32_t valueSize, uint32_t entries, const void *options)',
  bpf_prog_load:
    'int bpf_prog_load(int type, const char *name, const char *license, const void *instructions, size_t count, OrlaBpfLoadOptions *options)',
  bpf_raw_tracepoint_open: 'int bpf_raw_tracepoint_open(const char *name, int programFd)',
  bpf_link_create: 'int bpf_link_create(int programFd, int target, int attachType, const void *options)',
  bpf_link_get_next_id: 'int bpf_link_get_next_id(uint32_t id, void *next)',
  bpf_link_get_fd_by_id: 'int bpf_link_get_fd_by_id(uint32_t id)',
  bpf_link_update: 'int bpf_link_update(int linkFd, int programFd, const void *options)',
  bpf_map_get_fd_by_id: 'int bpf_map_get_fd_by_id(uint32_t id)',
  bpf_prog_get_fd_by_id: 'int bpf_prog_get_fd_by_id(uint32_t id)',
  bpf_obj_get_info_by_fd: 'int bpf_obj_get_info_by_fd(int fd, void *info, void *length)',
  bpf_prog_test_run_opts: 'int bpf_prog_test_run_opts(int fd, _Inout_ OrlaBpfTestRun *options)',
  bpf_xdp_query: 'int bpf_xdp_query(int interface, int flags, void *options)',
  ring_buffer__new: 'void *ring_buffer__new(int fd, void *onSample, void *context, const void *options)',
  ring_buffer__consume: 'int ring_buffer__consume(void *buffer)',
  ring_buffer__epoll_fd: 'int ring_buffer__epoll_fd(void *buffer)',
  ring_buffer__free: 'void ring_buffer__free(void *buffer)',
  perf_buffer__new:
    'void *perf_buffer__new(int fd, size_t pages, void *onSample, void *onLost, void *context, const void *options)',
  perf_buffer__consume: 'int perf_buffer__consume(void *buffer)',
  perf_buffer__epoll_fd: 'int perf_buffer__epoll_fd(void *buffer)',
  perf_buffer__free: 'void perf_buffer__free(void *buffer)',
} as const

type Name = keyof typeof DECLARATIONS
type Pointing = {
  [N in Name]: (typeof DECLARATIONS)[N] extends `void *${string}` ? N : never
}[Name]
type Naming = {
  [N in Name]: (typeof DECLARATIONS)[N] extends `const char *${string}` ? N : never
}[Name]

/** Structs that hold addresses of buffers: built by koffi, which keeps the buffers alive for as long as a call takes. */
export interface OpenOptions {
  sz: number
  object_name: string
}
export interface TestRunOptions {
  sz: number
  data_in: Buffer
  data_out: Buffer
  data_size_in: number
  data_size_out: number
  retval: number
  repeat: number
  duration: number
}

export interface LoadOptions {
  sz: number
  expected_attach_type: number
  prog_btf_fd: number
  prog_flags: number
  func_info: Buffer | null
  func_info_cnt: number
  func_info_rec_size: number
  log_level: number
  log_size: number
  log_buf: Buffer | null
}

/** As in bpf/libbpf.h and bpf/bpf.h. What follows the last field here counts as zero: `sz` says how far we know it. */
function declareStructs(): void {
  koffi.struct('OrlaBpfOpenOptions', { sz: 'size_t', object_name: 'const char *' })
  koffi.struct('OrlaBpfTestRun', {
    sz: 'size_t',
    data_in: 'void *',
    data_out: 'void *',
    data_size_in: 'uint32_t',
    data_size_out: 'uint32_t',
    ctx_in: 'void *',
    ctx_out: 'void *',
    ctx_size_in: 'uint32_t',
    ctx_size_out: 'uint32_t',
    retval: 'uint32_t',
    repeat: 'int',
    duration: 'uint32_t',
    flags: 'uint32_t',
  })
  koffi.struct('OrlaBpfLoadOptions', {
    sz: 'size_t',
    attempts: 'int',
    expected_attach_type: 'int',
    prog_btf_fd: 'uint32_t',
    prog_flags: 'uint32_t',
    prog_ifindex: 'uint32_t',
    kern_version: 'uint32_t',
    attach_btf_id: 'uint32_t',
    attach_prog_fd: 'uint32_t',
    attach_btf_obj_fd: 'uint32_t',
    fd_array: 'void *',
    func_info: 'void *',
    func_info_cnt: 'uint32_t',
    func_info_rec_size: 'uint32_t',
    line_info: 'void *',
    line_info_cnt: 'uint32_t',
    line_info_rec_size: 'uint32_t',
    log_level: 'uint32_t',
    log_size: 'uint32_t',
    log_buf: 'void *',
  })
}

/** What is called, by its name in C. Arguments are numbers, pointers, texts and buffers, as declared above. */
export type LibbpfCalls = {
  readonly [N in Name]: (...args: readonly Argument[]) => Result<N>
}
export type Argument =
  | number
  | bigint
  | boolean
  | string
  | null
  | NodeJS.ArrayBufferView
  | OpenOptions
  | TestRunOptions
  | LoadOptions
type Result<N extends Name> = N extends Pointing ? Pointer : N extends Naming ? string : number

/** What stands beside libbpf: libc, and the callbacks that C calls. */
export interface Memory {
  /** Copies from an address; the bytes are ours then. */
  copy(from: Pointer, bytes: number): Buffer
  /** A function for C to call until the program ends, or until it is given to `forget`. It must not throw. Where it returns false, the reading ends behind this sample. */
  onSample(callback: (data: Pointer, bytes: number) => boolean): bigint
  onCpuSample(callback: (cpu: number, data: Pointer, bytes: number) => void): bigint
  onLost(callback: (cpu: number, count: number) => void): bigint
  forget(callback: bigint): void
  /** Calls when a descriptor becomes readable, until it is closed. */
  poll(fd: number, callback: () => void): { close(): void }
}

export interface Loaded {
  readonly calls: LibbpfCalls
  readonly memory: Memory
}

/** The newest name first: the one without a number is there only where the headers are installed. */
const FILES = ['libbpf.so.1', 'libbpf.so']
const MAJOR_MIN = 1

/** Loads libbpf into this process. What it prints goes to `onPrint`. Returns the reason where that cannot be. */
export function loadCalls(onPrint: (level: number, text: string) => void): Loaded | string {
  let library: ReturnType<typeof koffi.load> | undefined
  for (const file of FILES) {
    try {
      library = koffi.load(file)
      break
    } catch {
      // Not under this name.
    }
  }
  if (!library) return 'libbpf is not installed (libbpf.so.1)'
  const declare = (declaration: string) => library.func(declaration)
  let calls: LibbpfCalls
  declareStructs()
  try {
    const declared = Object.entries(DECLARATIONS).map(([name, text]) => [name, declare(text)])
    calls = Object.fromEntries(declared) as LibbpfCalls
  } catch (error) {
    return `libbpf is too old; version 1.0 or later is needed (${(error as Error).message})`
  }
  if (calls.libbpf_major_version() < MAJOR_MIN) {
    return `libbpf is ${calls.libbpf_version_string()}; version 1.0 or later is needed`
  }
  capturePrints(declare, onPrint)
  return { calls, memory: memory() }
}

/**
 * libbpf prints through one function of the process, with a `va_list`. That is a pointer, or is passed as one, wherever Node runs, so
 * `vasprintf` can be given it as it came; it must be read once and no more.
 */
function capturePrints(
  declare: (declaration: string) => (...args: unknown[]) => unknown,
  onPrint: (level: number, text: string) => void,
): void {
  const vasprintf = koffi.load(null).func('int vasprintf(void *text, void *format, void *args)')
  const place = new BigUint64Array(1)
  const print: PrintCallback = (level, format, args) => {
    if (level > 1) return 0
    const length = vasprintf(place, format, args) as number
    if (length < 0) return 0
    onPrint(level, koffi.decode.string(place[0]!, length))
    koffi.free(place[0]!)
    return length
  }
  const type = koffi.pointer(koffi.proto('int', ['int', 'void *', 'void *']))
  declare('void *libbpf_set_print(void *print)')(koffi.register(print, type))
}

function memory(): Memory {
  const memcpy = koffi.load(null).func('void *memcpy(void *to, const void *from, size_t bytes)')
  const pointerTo = (result: string, args: string[]) => koffi.pointer(koffi.proto(result, args))
  const ringSample = pointerTo('int', ['void *', 'void *', 'size_t'])
  const cpuSample = pointerTo('void', ['void *', 'int', 'void *', 'uint32_t'])
  const lost = pointerTo('void', ['void *', 'int', 'uint64_t'])
  return {
    copy: (from, bytes) => {
      const to = Buffer.alloc(bytes)
      if (bytes > 0) memcpy(to, from, bytes)
      return to
    },
    onSample: (callback) =>
      koffi.register(
        (_: Pointer, data: Pointer, bytes: number) => (callback(data, Number(bytes)) ? 0 : -1),
        ringSample,
      ),
    onCpuSample: (callback) =>
      koffi.register(
        (_: Pointer, cpu: number, data: Pointer, bytes: number) => callback(cpu, data, bytes),
        cpuSample,
      ),
    onLost: (callback) =>
      koffi.register((_: Pointer, cpu: number, count: number) => callback(cpu, Number(count)), lost),
    forget: (callback) => koffi.unregister(callback),
    poll: (fd, callback) => koffi.node.poll(fd, { readable: true }, callback),
  }
}
