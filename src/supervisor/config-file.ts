/** The configuration file as a running node knows it: what it said when it was applied last, and how to read it again. */
import { EdgeError } from '../base/errors.ts'
import { isLiveKey } from '../config/live-keys.ts'
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

/** Throws where the two differ in what only a restart changes, and names all of it. */
export function refuseRestart(now: Config, next: Config): void {
  const changed = differences(now, next, '').filter(({ path }) => !isLiveKey(path))
  if (changed.length === 0) return
  const subject = changed.length === 1 ? 'this needs' : 'these need'
  throw new EdgeError('config-restart', `${subject} a restart: ${changed.map(describe).join('; ')}`)
}

/** Paths of what differs and goes live, but for the sites, which are told one by one. */
export function changedSettings(now: Config, next: Config): readonly string[] {
  return differences(now, next, '')
    .map(({ path }) => path)
    .filter((path) => path !== 'sites' && isLiveKey(path))
}

interface Difference {
  readonly path: string
  readonly now: unknown
  readonly next: unknown
}

/** As far down as both have the same shape; what goes live as a whole is one difference. */
function differences(now: unknown, next: unknown, path: string): readonly Difference[] {
  if (now === next || JSON.stringify(now) === JSON.stringify(next)) return []
  if (!isLiveKey(path)) {
    if (Array.isArray(now) && Array.isArray(next)) {
      const places = Array.from({ length: Math.max(now.length, next.length) }, (_, index) => index)
      return places.flatMap((index) => differences(now[index], next[index], `${path}[${index}]`))
    }
    if (isObject(now) && isObject(next)) {
      const keys = new Set([...Object.keys(now), ...Object.keys(next)])
      return [...keys].flatMap((key) =>
        differences(now[key], next[key], path === '' ? key : `${path}.${key}`),
      )
    }
  }
  return [{ path, now, next }]
}

/** Values of secrets stay out of logs. */
function describe({ path, now, next }: Difference): string {
  if (/token|key|secret|password/i.test(path)) return `${path} changed`
  const text = (value: unknown) => (value === undefined ? 'not set' : JSON.stringify(value))
  return `${path} is ${text(now)}, and would be ${text(next)}`
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
