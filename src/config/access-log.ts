/** The names that the configuration of an access log may use. What each field tells is in `http/access-log/fields.ts`. */

export const ACCESS_LOG_FIELDS = [
  'time',
  'client',
  'clientPort',
  'method',
  'scheme',
  'host',
  'target',
  'path',
  'query',
  'protocol',
  'status',
  'source',
  'aborted',
  'bytesSent',
  'bodyBytesSent',
  'bytesReceived',
  'durationMs',
  'upstream',
  'upstreamConnectMs',
  'upstreamResponseMs',
  'cache',
  'limit',
  'site',
  'units',
  'requestId',
  'traceId',
  'referer',
  'userAgent',
  'tlsVersion',
  'tlsCipher',
  'node',
  'worker',
] as const

export type AccessLogField = (typeof ACCESS_LOG_FIELDS)[number]

/** Without those that tell twice what another tells, and those that are the same on every line. */
export const DEFAULT_ACCESS_LOG_FIELDS: readonly string[] = ACCESS_LOG_FIELDS.filter(
  (name) => !['clientPort', 'path', 'query', 'bodyBytesSent', 'node', 'worker'].includes(name),
)

/** A field's name, or `request:NAME` or `response:NAME` with the name of a header. */
export function isAccessLogField(name: string): boolean {
  return (
    (ACCESS_LOG_FIELDS as readonly string[]).includes(name) ||
    /^(?:request|response):[\w!#$%&'*+.^`|~-]+$/.test(name)
  )
}
