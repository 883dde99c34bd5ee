/**
 * Lets in links that were signed and have not expired: `/films/a.mp4?expires=1767225600&signature=…`.
 *
 * The signature is the HMAC-SHA-256, in hex, of the path as it is requested, a line break, and the value of `expires` (seconds since
 * 1970). Who makes links, for example in a shell:
 *
 *     printf '%s\n%s' /films/a.mp4 1767225600 | openssl dgst -sha256 -hmac "$KEY" -hex
 *
 * Both arguments are taken out of the query, so that all who come share one copy in the cache.
 *
 * Environment: `KEY` (a secret), what links are signed with. `OLD_KEY`: one that still counts, while keys are changed.
 */
import type { Unit } from 'orla'

const encoder = new TextEncoder()

/** Made once for each isolate, by their text. */
const keys = new Map<string, Promise<CryptoKey>>()

export default {
  paths: ['/signed/*'],
  async access(request, response, edge) {
    const { KEY, OLD_KEY } = edge.env
    if (KEY === undefined || KEY === '') throw new Error('KEY is not set: deploy with --secret KEY=…')
    const expires = request.query.get('expires') ?? ''
    const signature = bytesOfHex(request.query.get('signature') ?? '')
    if (!/^\d{1,12}$/.test(expires) || signature === undefined) return refused('the link is not signed')
    const signed = encoder.encode(`${request.path}\n${expires}`)
    const isGood =
      (await verify(KEY, signature, signed)) ||
      (OLD_KEY !== undefined && OLD_KEY !== '' && (await verify(OLD_KEY, signature, signed)))
    if (!isGood) return refused('the signature of the link is wrong')
    if (Number(expires) * 1000 <= Date.now()) return refused('the link has expired', 410)
    request.query.delete('expires')
    request.query.delete('signature')
  },
} satisfies Unit

async function verify(secret: string, signature: Uint8Array<ArrayBuffer>, signed: Uint8Array<ArrayBuffer>) {
  let key = keys.get(secret)
  if (key === undefined) {
    key = crypto.subtle.importKey('raw', encoder.encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, [
      'verify',
    ])
    keys.set(secret, key)
  }
  return crypto.subtle.verify('HMAC', await key, signature, signed)
}

function bytesOfHex(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^(?:[0-9a-f]{2}){32}$/i.test(text)) return undefined
  return Uint8Array.from(text.match(/../g)!, (digits) => Number.parseInt(digits, 16))
}

const refused = (why: string, status = 403) =>
  new Response(`${why}\n`, { status, headers: { 'content-type': 'text/plain', 'cache-control': 'no-store' } })
