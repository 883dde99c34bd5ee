/** A worker for tests that never gets ready. */
import type { FromWorker } from '../../contract/messages.ts'

process.on('message', () =>
  process.send!({
    kind: 'failed',
    code: 'ENOENT',
    message: 'the certificate is missing',
  } satisfies FromWorker),
)
