/**
 * Every error that a person may meet, one row each: the sentence an operator reads, what would be right, where it comes
 * from, whether a retry is safe, and the HTTP status where there is one.
 */
export interface ErrorRow {
  readonly title: string
  readonly hint: string
  readonly source: 'client' | 'origin' | 'unit' | 'peer' | 'config' | 'internal'
  readonly retry: boolean
  readonly status: number
}

const row = (
  title: string,
  hint: string,
  source: ErrorRow['source'],
  status: number,
  retry = false,
): ErrorRow => ({ title, hint, source, status, retry })

export const ERROR_CODES = {
  'config-invalid': row(
    'the configuration is not valid',
    'mend what is named; nothing was changed',
    'config',
    400,
  ),
  'unit-failed': row('a unit failed', '`orla tail NAME` tells why', 'unit', 503),
  'config-missing': row(
    'the configuration file cannot be read',
    'check the path given to --config',
    'config',
    400,
  ),
  'certificate-invalid': row(
    'a certificate or its key cannot be used',
    'mend the file that is named; the key must be the one of the certificate, both in PEM',
    'config',
    500,
  ),
  'acme-failed': row(
    'the ACME authority gave no certificate',
    'see what it says; what is in force stays, and it is asked again later',
    'peer',
    502,
    true,
  ),
  'file-unreadable': row('a file cannot be read', 'check its path', 'client', 400),
  'port-in-use': row('the port is taken', 'stop the other program, or change `listen`', 'config', 500),
  'data-in-use': row(
    'another orla uses the data directory',
    'stop it, or give this one a `store.path` of its own',
    'config',
    500,
  ),
  'store-corrupt': row(
    'the store file is damaged',
    'restore it from a backup, or move it away to start empty',
    'internal',
    500,
  ),
  'store-read-only': row('the store cannot be written', 'make the data directory writable', 'internal', 507),
  'store-full': row(
    'the disk of the store is full',
    'free some space; what was acknowledged is safe',
    'internal',
    507,
  ),
  'store-missing': row(
    'the store file was removed under the running program',
    'restart: it starts from what is on the disk',
    'internal',
    500,
  ),
  'store-newer': row(
    'the data directory was written by a newer version',
    'use that version, or another directory',
    'config',
    500,
  ),
  'process-unknown': row('there is no such process or thread', 'see `ps -eL`', 'client', 404),
  'process-unreadable': row(
    'the process may not be read',
    'run it as root, or as the user that the process belongs to',
    'client',
    403,
  ),
  'command-not-run': row('the command cannot be run', 'check its name and its rights', 'client', 404),
  'log-unwritable': row(
    'an access log cannot be written',
    'check the folder and its rights, or change `accessLog`',
    'config',
    500,
  ),
  'worker-failed': row('a worker could not start', 'see the log of the node', 'internal', 503, true),
  'backup-damaged': row(
    'the backup is damaged, cut, or no backup',
    'take another backup; nothing was restored',
    'client',
    400,
  ),
  'folder-not-empty': row(
    'a backup is restored into an empty folder only',
    'name a folder that is empty or not there',
    'client',
    409,
  ),
  'store-failed': row(
    'the store cannot be read or written',
    'check the disk of the data directory',
    'internal',
    500,
    true,
  ),
  'kv-corrupt': row(
    'the file of key/value data is damaged',
    'restore `kv.db` from a backup, or move it away to start empty, and restart; the edge serves on without it',
    'internal',
    500,
  ),
  'kv-unavailable': row(
    'key/value data cannot be read or written',
    'see the log of the node; the edge serves on without it',
    'internal',
    503,
    true,
  ),
  'kv-refused': row('the key/value change was refused', 'see the quotas under `edge.kv`', 'client', 422),
  'kv-unknown': row('there is no such key', '`orla kv list NAMESPACE` lists them', 'client', 404),
  'secret-unreadable': row(
    'a secret cannot be read with this key',
    'bring back ORLA_SECRET_KEY or the key file it was written with, or set the secret anew',
    'config',
    500,
  ),
  'unit-invalid': row('the unit was refused', 'mend what is named; what was live stays live', 'unit', 422),
  'unit-unsigned': row(
    'the unit is not signed as it has to be',
    'sign it with a trusted key: `orla deploy --sign KEYFILE`; what was live stays live',
    'unit',
    422,
  ),
  'unit-unknown': row('there is no such unit', '`orla units` lists them', 'client', 404),
  'unit-conflict': row('the unit cannot be changed so', 'see `orla units --json`', 'client', 409),
  'site-unknown': row('there is no such site', '`orla sites` lists them', 'client', 404),
  'site-changed': row(
    'the site is not as it was expected',
    'read it again (`orla sites show NAME`), and change what is there now',
    'client',
    412,
  ),
  'config-restart': row(
    'the change of the configuration needs a restart',
    'restart the node, or take back what is named; nothing was changed',
    'config',
    409,
  ),
  'request-invalid': row('the request is not valid', 'see /v1/openapi.json', 'client', 400),
  'request-too-large': row('the request is too large', 'a unit has 1 MB of code at most', 'client', 413),
  'route-unknown': row('there is no such path here', 'see /v1/openapi.json', 'client', 404),
  'method-unknown': row('the path does not take this method', 'see the `Allow` header', 'client', 405),
  internal: row('the program failed', 'this is a mistake in Orla: report it with the log', 'internal', 500),
  draining: row('the node is shutting down', 'send it to another node, or later', 'internal', 503, true),
  unauthorized: row('a valid token is needed', 'send `Authorization: Bearer TOKEN`', 'client', 401),
  forbidden: row('the token may not do this', 'use one that may: see `orla tokens`', 'client', 403),
  'too-many-attempts': row(
    'too many wrong tokens came from this address',
    'wait as long as `Retry-After` says',
    'client',
    429,
    true,
  ),
  'host-unknown': row(
    'the control plane is not called so',
    'use its address, or name the host in `control.hosts`',
    'client',
    403,
  ),
  'cross-site': row(
    'another site may not call this',
    'call it from a command, not from a page',
    'client',
    403,
  ),
  'media-type': row(
    'the body is of another type',
    'send it as `Content-Type: application/json`',
    'client',
    415,
  ),
  'token-unknown': row('there is no such token', '`orla tokens` lists them', 'client', 404),
  'not-finished': row(
    'not every worker runs it yet',
    'see the laggards; it goes on in the background',
    'internal',
    504,
    true,
  ),
  'control-unreachable': row(
    'the control plane does not answer',
    'check --control and that the node runs',
    'peer',
    502,
    true,
  ),
  'origin-refused': row(
    'the origin refused the connection',
    'check that it runs and its address',
    'origin',
    502,
    true,
  ),
  'origin-unreachable': row(
    'the origin cannot be reached',
    'check its name and the network',
    'origin',
    502,
    true,
  ),
  'origin-closed': row(
    'the origin closed the connection before it answered',
    'see its log',
    'origin',
    502,
    true,
  ),
  'origin-garbage': row(
    'the origin sent what is not HTTP/1.1',
    'check that the port speaks HTTP',
    'origin',
    502,
  ),
  'origin-timeout-connect': row(
    'the origin did not accept the connection in time',
    'see `timeouts.connect`',
    'origin',
    504,
    true,
  ),
  'origin-timeout-response': row(
    'the origin did not answer in time',
    'see `timeouts.response`',
    'origin',
    504,
    true,
  ),
  'file-changed': row(
    'the file was changed while it was sent',
    'put a new file in the place of the old one (`mv`), instead of writing into it',
    'origin',
    503,
    true,
  ),
  'origin-down': row(
    'no endpoint of the origin is up',
    'see `orla_origin_endpoint_state` in the metrics, and the log for why checks fail',
    'origin',
    503,
    true,
  ),
  'origin-unresolved': row(
    'the name of the origin has no address',
    'check the name, and that its DNS server answers',
    'origin',
    502,
    true,
  ),
  'origin-busy': row(
    'the origin has as many requests as it may have',
    'see `connectionsMax`, `pendingMax` and `requestsMax`, and why the origin is slow',
    'origin',
    503,
    true,
  ),
  'loop-detected': row(
    'the request has come back to a node that it passed before',
    'an origin leads back to the edge: see `origin.endpoints`',
    'config',
    508,
  ),
  'origin-tls': row('the TLS handshake with the origin failed', 'check its certificate', 'origin', 502),
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof ERROR_CODES
