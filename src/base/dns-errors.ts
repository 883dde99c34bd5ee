/** The rows about the DNS plane. */
import { row } from './error-row.ts'

export const DNS_ERRORS = {
  'corefile-invalid': row(
    'the Corefile is not valid',
    'mend what is named; nothing was changed',
    'config',
    400,
  ),
} as const
