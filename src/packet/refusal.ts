/** Why the kernel does not take a program, in a clause for an operator. */
import type { BpfFailure } from './libbpf-failure.ts'

export const NO_RIGHTS =
  'this process may not use BPF programs: it asks for root, or for CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON'

export function refusalOf(failure: BpfFailure): string {
  if (failure.isRights) return NO_RIGHTS
  if (failure.code === 'ENOSYS') return 'this kernel has no BPF'
  return `the kernel does not take the program (${lastWords(failure)})`
}

/** What the verifier or libbpf said last, before the summary that both end with. */
function lastWords({ message, log }: BpfFailure): string {
  const lines = log
    .split('\n')
    .filter((line) => line.startsWith('libbpf: ') && !/failed to load object/.test(line))
  return lines.length === 0 ? message : lines[0]!.replace(/^libbpf: /, '').slice(0, 200)
}
