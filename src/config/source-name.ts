/** Addresses and names of sources of units, as their URLs say them. */
export interface RedisAddress {
  readonly host: string
  readonly port: number
  readonly isTls: boolean
  readonly database: number
  readonly username: string | undefined
  readonly password: string | undefined
}

/** Of a URL that the schema took. */
export function redisAddress(text: string): RedisAddress {
  const url = new URL(text)
  const said = (part: string) => (part === '' ? undefined : decodeURIComponent(part))
  return {
    // Brackets are for URLs.
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 6379 : Number(url.port),
    isTls: url.protocol === 'rediss:',
    database: Number(url.pathname.replaceAll('/', '') || 0),
    username: said(url.username),
    password: said(url.password),
  }
}

/** Without user and password, to be shown: `redis://10.0.0.7:6379/0`. */
export function shownUrl(text: string): string {
  const url = new URL(text)
  url.username = ''
  url.password = ''
  return url.href
}

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
