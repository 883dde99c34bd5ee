/** The configuration file as a running node knows it: what it said when it was applied last, and how to read it again. */
import { EdgeError } from '../base/errors.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { Config, SiteInput } from '../config/schema.ts'

export interface ConfigFile {
  readonly sites: readonly SiteInput[]
  /** Where paths count from, in sites that are set live too. */
  readonly folder: string
  /** The file to watch; undefined where there is none. */
  readonly path?: string | undefined
  /** Reads it again. Absent: this node has no file to reload. */
  readonly load?: () => Promise<LoadedConfig>
}

/** What goes live with a reload. Everything else belongs to processes and sockets that are there already. */
const LIVE_KEYS: ReadonlySet<string> = new Set([
  'sites',
  'telemetry',
  'edge.limits',
  'edge.debugToken',
  'edge.accessLog',
  'edge.trustedProxies',
  'edge.forwardedFrom',
  'edge.requestId',
])

/** Throws where the two differ in what only a restart changes, and names all of it. */
export function refuseRestart(now: Config, next: Config): void {
  const changed = differences(now, next, '')
  if (changed.length === 0) return
  const subject = changed.length === 1 ? 'this needs' : 'these need'
  throw new EdgeError('config-restart', `${subject} a restart: ${changed.join('; ')}`)
}

function differences(now: unknown, next: unknown, path: string): readonly string[] {
  if (LIVE_KEYS.has(path) || JSON.stringify(now) === JSON.stringify(next)) return []
  if (!isObject(now) || !isObject(next)) return [`${path} ${describe(path, now, next)}`]
  const keys = new Set([...Object.keys(now), ...Object.keys(next)])
  return [...keys].flatMap((key) => differences(now[key], next[key], path === '' ? key : `${path}.${key}`))
}

/** Values of secrets stay out of logs. */
function describe(path: string, now: unknown, next: unknown): string {
  if (/token|key|secret|password/i.test(path)) return 'changed'
  const text = (value: unknown) => (value === undefined ? 'not set' : JSON.stringify(value))
  return `is ${text(now)}, and would be ${text(next)}`
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
