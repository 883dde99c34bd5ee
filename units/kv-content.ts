/**
 * Answers with what lies in `edge.kv`: an image, a JSON document, a page. What is put there is live at once.
 *
 * The key is the path behind `/kv/`; its ending says the content type. In the namespace `content`:
 *
 *     orla kv put content settings.json '{"beta":true}'
 *     orla kv put content logo.png --file logo.png
 *
 * Environment: `PREFIX`, the path it answers below (`/kv/`; deploy with `--paths` to match). `MAX_AGE`, seconds for which clients may keep it
 * (`0`).
 */
import type { Unit } from 'orla'

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  gif: 'image/gif',
  html: 'text/html; charset=utf-8',
  ico: 'image/x-icon',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  png: 'image/png',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
  webp: 'image/webp',
  xml: 'application/xml',
}

export default {
  paths: ['/kv/*'],
  methods: ['GET'],
  kv: 'content',
  async content(request, edge) {
    const { PREFIX = '/kv/', MAX_AGE = '0' } = edge.env
    const key = request.path.startsWith(PREFIX) ? decoded(request.path.slice(PREFIX.length)) : ''
    const bytes = key === '' ? null : await edge.kv.get(key, 'bytes')
    if (bytes === null)
      return new Response('not found\n', { status: 404, headers: { 'content-type': 'text/plain' } })
    const ending = key.slice(key.lastIndexOf('.') + 1).toLowerCase()
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-1', bytes))
    const etag = `"${Array.from(digest.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('')}"`
    const headers = { etag, 'cache-control': `max-age=${MAX_AGE}`, 'x-content-type-options': 'nosniff' }
    const known = request.headers.get('if-none-match')?.split(',') ?? []
    if (known.some((tag) => tag.trim().replace(/^W\//, '') === etag || tag.trim() === '*'))
      return new Response(null, { status: 304, headers })
    const type = Object.hasOwn(TYPES, ending) ? TYPES[ending]! : 'application/octet-stream'
    return new Response(bytes, { headers: { ...headers, 'content-type': type } })
  },
} satisfies Unit

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return ''
  }
}
