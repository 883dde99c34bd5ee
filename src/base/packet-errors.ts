/** Rows of the table of errors that are about the packet plane. */
import { type ErrorRow, row } from './error-row.ts'

export const PACKET_ERRORS = {
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
