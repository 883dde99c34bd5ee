/** Where a Redis is, as its URL says: that of the store, and those that hold units. */
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
