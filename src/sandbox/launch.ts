/**
 * Starts a sandbox process with as few rights as this machine can take from it.
 *
 * As root: no way to new privileges, its own empty network, and after loading it becomes nobody (see `child.ts`; it cannot
 * be started as nobody, who may not read where the program lies). As another user: the same through a user namespace,
 * where the machine allows one. Node's own permission model holds everywhere: no files, no children, no network.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { offerToOom, setTimerSlack } from './kernel.ts'

export interface LaunchOptions {
  /** Path of the bundle made by `bundle.ts`. */
  readonly bundle: string
  /** Path of isolated-vm's `.node` file. */
  readonly isolatedVm: string
  readonly markFd: number
  /** CPU time of each crossing is measured exactly, which costs. */
  readonly isExact: boolean
}

interface Wrapper {
  readonly command: readonly string[]
  readonly protections: readonly string[]
}

const words = (line: string): readonly string[] => line.split(' ')
const NO_NEW_PRIVILEGES = 'no-new-privileges'

/** Best first. Root keeps two capabilities until the process has used them to become nobody. */
const AS_ROOT: readonly Wrapper[] = [
  {
    command: words(
      'prlimit --core=0:0 unshare --net --ipc -- setpriv --no-new-privs --bounding-set=-all,+setuid,+setgid --',
    ),
    protections: ['no-network', NO_NEW_PRIVILEGES],
  },
  {
    command: words('setpriv --no-new-privs --bounding-set=-all,+setuid,+setgid --'),
    protections: [NO_NEW_PRIVILEGES],
  },
]

/**
 * A user who is not root has all capabilities in a namespace of its own, and loses them with the first program that is started there: setpriv
 * has to be handed them (`--keep-caps`) to empty the bounding set, and gives them away itself.
 */
export const AS_USER: readonly Wrapper[] = [
  {
    command: words(
      'prlimit --core=0:0 unshare --user --map-current-user --keep-caps --net --ipc -- setpriv --no-new-privs --bounding-set=-all --inh-caps=-all --ambient-caps=-all --',
    ),
    protections: ['no-network', NO_NEW_PRIVILEGES],
  },
  {
    command: words('setpriv --no-new-privs --inh-caps=-all --ambient-caps=-all --'),
    protections: [NO_NEW_PRIVILEGES],
  },
]

const BARE: Wrapper = { command: [], protections: [] }

/** Minutes: where a machine is busy, three programs one after the other take long, and the way without protection is no answer to that. */
const TRY_MS = 120_000

let chosen: Wrapper | undefined

/** The best wrapper that works here, found out once by trying. */
function wrapper(): Wrapper {
  const candidates = process.getuid?.() === 0 ? AS_ROOT : AS_USER
  chosen ??=
    candidates.find(({ command: [program, ...rest] }) => {
      const tried = spawnSync(program!, [...rest, process.execPath, '--version'], {
        stdio: 'ignore',
        timeout: TRY_MS,
      })
      return tried.status === 0
    }) ?? BARE
  return chosen
}

/** What this machine takes from a sandbox, besides what the process gives up itself. */
export function launchProtections(): readonly string[] {
  return ['no-files', 'no-children', ...wrapper().protections]
}

/**
 * Isolates as small as a unit's get so small a young generation that it is collected four times a millisecond under load.
 * Measured with the token unit: a fifth of the sandbox's CPU time. Collections this small are not worth more threads.
 */
const V8_FLAGS = ['--max-semi-space-size=4', '--no-parallel-scavenge']

/** See `setTimerSlack`. */
const TIMER_SLACK_MS = 2

/** Descriptor 3 of the child is a socket: `stdio[3]` here. */
export function launchSandbox({ bundle, isolatedVm, markFd, isExact }: LaunchOptions): ChildProcess {
  const node = [
    process.execPath,
    ...V8_FLAGS,
    '--permission',
    '--allow-addons',
    `--allow-fs-read=${bundle}`,
    `--allow-fs-read=${isolatedVm}`,
    '--no-warnings',
    bundle,
    isolatedVm,
    ...(isExact ? ['exact'] : []),
  ]
  const [program, ...rest] = [...wrapper().command, ...node]
  const child = spawn(program!, rest, {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', markFd],
    env: {},
    cwd: '/',
    // Out of the node's process group: a Ctrl-C reaches all of that, also a process that cannot ignore it yet.
    detached: true,
  })
  offerToOom(child.pid)
  setTimerSlack(child.pid, TIMER_SLACK_MS)
  return child
}
