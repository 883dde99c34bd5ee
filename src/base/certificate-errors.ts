/** Rows of the table of errors that are about certificates. */
import { type ErrorRow, row } from './error-row.ts'

export const CERTIFICATE_ERRORS = {
  'certificate-invalid': row(
    'a certificate or its key cannot be used',
    'mend the file that is named; the key must be the one of the certificate, both in PEM',
    'config',
    422,
  ),
  'certificate-expired': row(
    'the certificate has expired',
    'give one that is in force; `--force` (`force` in the API) sets it all the same',
    'client',
    422,
  ),
  'certificate-unknown': row(
    'there is no such certificate',
    '`orla certificates` lists those of the log; those of files stand in the configuration',
    'client',
    404,
  ),
  'acme-failed': row(
    'the ACME authority gave no certificate',
    'see what it says; what is in force stays, and it is asked again later',
    'peer',
    502,
    true,
  ),
} as const satisfies Record<string, ErrorRow>
