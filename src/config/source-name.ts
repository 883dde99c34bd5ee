import { redisAddress } from './redis-address.ts'

/** How a source is called: `10.0.0.7:6379/coding_units`, unless it was given a name. */
export function sourceName(source: {
  readonly name?: string | undefined
  readonly url: readonly string[]
  readonly set: string
}): string {
  if (source.name !== undefined) return source.name
  const [first = ''] = source.url
  const { host, port, database } = redisAddress(first)
  return `${host}:${port}/${database === 0 ? '' : `${database}/`}${source.set}`
}
