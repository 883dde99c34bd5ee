/** Rows of the table of errors that are about the packet plane. */
import { type ErrorRow, row } from './error-row.ts'

export const PACKET_ERRORS = {
  'packet-unavailable': row(
    'BPF programs cannot be used here',
    'it asks for Linux 5.10 or later, libbpf 1.0 or later, and root (or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON)',
    'config',
    501,
  ),
  'program-invalid': row(
    'a BPF program cannot be compiled, or the kernel does not take it',
    'mend what is named; nothing was attached',
    'client',
    422,
  ),
  'interface-refused': row(
    'an XDP program cannot be attached to an interface',
    '`ip link` lists the interfaces and what is attached to them',
    'client',
    409,
  ),
} as const satisfies Record<string, ErrorRow>
