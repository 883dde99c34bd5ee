/**
 * Lets a signal through that this process was born deaf to.
 *
 * A process inherits which signals are blocked, and Node blocks SIGUSR1 in what it starts: started by `npm` or a process manager, the
 * program would never hear it. Node has no call for that, so libc is asked through FFI.
 */
import { constants } from 'node:os'
import koffi from 'koffi'

const SIG_UNBLOCK = 1
/** `sizeof(sigset_t)` of glibc and musl, on every architecture. */
const SET_BYTES = 128

export function unblockSignal(name: NodeJS.Signals): void {
  const bit = constants.signals[name] - 1
  const set = Buffer.alloc(SET_BYTES)
  set[bit >> 3] = 1 << (bit & 7)
  const sigprocmask = koffi.load(null).func('int sigprocmask(int how, void *set, void *old)')
  sigprocmask(SIG_UNBLOCK, set, null)
}
