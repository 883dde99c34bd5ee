/** Access logs in the configuration: where they go, what they tell, of which requests. */
import * as v from 'valibot'
import { ACCESS_LOG_FIELDS, DEFAULT_ACCESS_LOG_FIELDS, isAccessLogField } from './access-log.ts'
import { duration, share, statuses } from './units.ts'

const FIELD_EXPECTED = `expected a field (${ACCESS_LOG_FIELDS.join(', ')}), "request:NAME" or "response:NAME" with the name of a header`

const AccessLogPath = v.pipe(
  v.string('expected a path such as "access.log", or "stdout"'),
  v.minLength(1, 'expected a path such as "access.log", or "stdout"'),
  // As images for containers have it. In a worker that path would be another descriptor.
  v.transform((path) => (path === '/dev/stdout' ? 'stdout' : path)),
)

const AccessLogObject = v.pipe(
  v.strictObject({
    /** A file, from the configuration file's own folder, that lines are appended to; `stdout` for standard output. */
    path: AccessLogPath,
    /** `json` writes an object a line, `combined` what nginx and Apache write. */
    format: v.optional(v.picklist(['json', 'combined'], 'expected "json" or "combined"'), 'json'),
    /** What a line in JSON tells, in this order; `request:NAME` and `response:NAME` are headers. See the guide on operations. */
    fields: v.optional(
      v.pipe(
        v.array(
          v.pipe(
            v.string(FIELD_EXPECTED),
            v.check(isAccessLogField, FIELD_EXPECTED),
            v.transform((field) => (field.includes(':') ? field.toLowerCase() : field)),
          ),
          'expected a list such as ["time", "client", "status"]',
        ),
        v.minLength(1, 'expected at least one field'),
      ),
    ),
    /** The share of requests that is written, 0 to 1. */
    sample: v.optional(share(), 1),
    /** Statuses that are written whatever the sample. */
    always: v.optional(statuses(), ['5xx']),
    /** Writes these alone. */
    only: v.optional(
      v.strictObject({
        /** Such as `[404, "5xx"]`. */
        status: v.optional(statuses()),
        /** Requests that took at least this long. */
        slowerThan: v.optional(duration()),
      }),
      {},
    ),
  }),
  v.check(
    ({ format, fields }) => format === 'json' || fields === undefined,
    'expected no `fields`: "combined" has its own',
  ),
  v.transform((log) => ({ ...log, fields: log.fields ?? DEFAULT_ACCESS_LOG_FIELDS })),
)

/** A path is short for a log in JSON. */
const fullAccessLog = (log: string | v.InferOutput<typeof AccessLogObject>) =>
  typeof log === 'string' ? v.parse(AccessLogObject, { path: log }) : log

export const AccessLogs = v.pipe(
  v.union(
    [
      v.literal(false),
      AccessLogPath,
      AccessLogObject,
      v.array(v.union([AccessLogPath, AccessLogObject], 'expected a path, or an object with `path`')),
    ],
    'expected a path, an object with `path`, a list of them, or false',
  ),
  v.transform((logs) => (logs === false ? [] : Array.isArray(logs) ? logs : [logs]).map(fullAccessLog)),
)

export type AccessLogConfig = v.InferOutput<typeof AccessLogObject>
