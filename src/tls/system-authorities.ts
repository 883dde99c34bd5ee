/**
 * Whom connections outwards trust where nobody names authorities: the public ones that Node ships, and those that were added to the system, such as a company's own, as curl and
 * nginx do.
 *
 * Node reads those of the system (`SSL_CERT_FILE` and `SSL_CERT_DIR`, else `/etc/ssl`) where it is told to. In a worker it is told at its start, and reads
 * beside the event loop: 25 ms of CPU time and 3 MiB, once. Read when the first connection asks for them, they would hold up every client of that worker for as long.
 */
import { getCACertificates, setDefaultCACertificates } from 'node:tls'

/** For a process that serves clients. */
export const TRUST_SYSTEM_FLAG = '--use-system-ca'

let isDone = false

/** For a process that nobody waits for, before it connects to whoever has no authorities of its own. It takes some 50 ms, the first time. */
export function trustSystem(): void {
  if (isDone) return
  isDone = true
  setDefaultCACertificates([...new Set([...getCACertificates('default'), ...getCACertificates('system')])])
}
