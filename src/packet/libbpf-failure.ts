/** What libbpf and the kernel refuse, in words. */
import { constants } from 'node:os'
import { getSystemErrorName } from 'node:util'
import type { LibbpfCalls } from './libbpf-calls.ts'

/** A call that failed. Who called it knows what it means to a person. */
export class BpfFailure extends Error {
  /** The number that the kernel answered, positive; 0 where it was none of the kernel's. */
  readonly errno: number
  /** What libbpf said of it: warnings, and the verifier's log among them. */
  readonly log: string

  constructor(message: string, errno: number, log = '') {
    super(message)
    this.name = 'BpfFailure'
    this.errno = errno
    this.log = log
  }

  /** `EPERM`, `EBUSY`, as Node names it; undefined where it has no name there. */
  get code(): string | undefined {
    try {
      return this.errno === 0 ? undefined : getSystemErrorName(-this.errno)
    } catch {
      return undefined
    }
  }

  /** The process may not: it is not root, and has not the capabilities. */
  get isRights(): boolean {
    return this.errno === constants.errno.EPERM || this.errno === constants.errno.EACCES
  }
}

/** An error number in words, as libbpf has them (its own begin at 4000). */
export function errorText(calls: LibbpfCalls, errno: number): string {
  const text = Buffer.alloc(128)
  calls.libbpf_strerror(errno, text, text.length)
  return text.toString('utf8').split('\0')[0]!
}
