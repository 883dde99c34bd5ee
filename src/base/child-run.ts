/**
 * Runs a command to its end and reads what it used, before the kernel forgets it.
 *
 * A process that has ended keeps its clock until its parent has waited for it. Node waits at once, so the child is made and waited for
 * through libc: `posix_spawnp`, `waitid` that leaves it there, the clock, then `wait4`, whose usage also holds what the child had waited for:
 * its children, and theirs, to the microsecond.
 */
import { constants as constantsOfFs } from 'node:fs'
import { constants } from 'node:os'
import koffi from 'koffi'
import { errorText, processCpuNs, wallNs } from './cpu-clock.ts'
import { EdgeError } from './errors.ts'

const libc = koffi.load(null)
const spawnp = libc.func(
  'int posix_spawnp(_Out_ int *pid, const char *file, void *actions, void *attributes, void *argv, void *envp)',
)
const initActions = libc.func('int posix_spawn_file_actions_init(void *actions)')
const addDup = libc.func('int posix_spawn_file_actions_adddup2(void *actions, int from, int to)')
const fcntl = libc.func('int fcntl(int fd, int command, int value)')
const initAttributes = libc.func('int posix_spawnattr_init(void *attributes)')
const setFlags = libc.func('int posix_spawnattr_setflags(void *attributes, short flags)')
const setDefaults = libc.func('int posix_spawnattr_setsigdefault(void *attributes, void *set)')
const setMask = libc.func('int posix_spawnattr_setsigmask(void *attributes, void *set)')
const waitid = libc.func('int waitid(int type, int id, void *info, int options)')
const wait4 = libc.func('int wait4(int pid, _Out_ int *status, int options, void *usage)')

const SETSIGDEF_AND_SETSIGMASK = 0x4 | 0x8
const P_PID = 1
const WEXITED = 4
const WNOWAIT = 0x0100_0000
const ENOENT = 2
const F_GETFL = 3
const F_SETFL = 4

export const NO_COMMAND = 'there is no such command'

export interface ChildRun {
  /** Of the command itself, all its threads. */
  readonly ownNs: bigint
  /** Of the processes below it that it has waited for; to the microsecond. */
  readonly childrenNs: bigint
  readonly wallNs: bigint
  /** As a shell has it: 128 + the signal that ended it. */
  readonly code: number
}

/** Its input and output are ours. Throws where it cannot be started. */
export function runChild(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ChildRun {
  const texts = Object.entries(env).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  )
  const pid = [0]
  const started = wallNs()
  const error = spawnp(
    pid,
    argv[0]!,
    standardStreams(),
    spawnAttributes(),
    stringList(argv),
    stringList(texts),
  ) as number
  if (error !== 0) {
    const reason = error === ENOENT ? NO_COMMAND : errorText(error)
    throw new EdgeError('command-not-run', `${argv[0]}: ${reason}`)
  }
  const info = Buffer.alloc(128)
  // A signal that reaches us too ends the wait early; the child decides what becomes of it.
  while (waitid(P_PID, pid[0], info, WEXITED | WNOWAIT) !== 0);
  const ended = wallNs()
  const ownNs = processCpuNs(pid[0]!)
  const status = [0]
  const usage = Buffer.alloc(144)
  while (wait4(pid[0], status, 0, usage) !== pid[0]);
  const totalNs = timevalNs(usage, 0) + timevalNs(usage, 16)
  return {
    ownNs,
    childrenNs: totalNs > ownNs ? floorToUs(totalNs - ownNs) : 0n,
    wallNs: ended - started,
    code: (status[0]! & 0x7f) === 0 ? (status[0]! >> 8) & 0xff : 128 + (status[0]! & 0x7f),
  }
}

/** A difference of less than the grain of `rusage` is none. */
const floorToUs = (ns: bigint): bigint => (ns < 10_000n ? 0n : ns)

function timevalNs(bytes: Buffer, at: number): bigint {
  return bytes.readBigInt64LE(at) * 1_000_000_000n + bytes.readBigInt64LE(at + 8) * 1000n
}

/** Ours, as we got them: Node closes them to programs it does not start itself, and makes pipes non-blocking, for whoever has them. */
function standardStreams(): Buffer {
  const actions = Buffer.alloc(256)
  initActions(actions)
  for (const fd of [0, 1, 2]) {
    const flags = fcntl(fd, F_GETFL, 0) as number
    if (flags < 0) continue
    fcntl(fd, F_SETFL, flags & ~constantsOfFs.O_NONBLOCK)
    // Onto itself: that is how a descriptor stays open over `exec`.
    addDup(actions, fd, fd)
  }
  return actions
}

/** Node ignores SIGPIPE; a command shall die of it as anywhere else. */
function spawnAttributes(): Buffer {
  const attributes = Buffer.alloc(512)
  const every = Buffer.alloc(128)
  const bit = constants.signals.SIGPIPE - 1
  every[bit >> 3] = 1 << (bit & 7)
  initAttributes(attributes)
  setFlags(attributes, SETSIGDEF_AND_SETSIGMASK)
  setDefaults(attributes, every)
  setMask(attributes, Buffer.alloc(128))
  return attributes
}

/** `char *[]`, ended by NULL. */
function stringList(texts: readonly string[]): unknown {
  const type = koffi.array('const char *', texts.length + 1)
  const list = koffi.alloc(type, 1)
  koffi.encode(list, type, [...texts, null])
  return list
}
