/**
 * Asks for a name and a password (RFC 7617).
 *
 * The header is taken out of the request: neither the cache, which would keep nothing of a request that has it, nor the origin sees it.
 * `KEEP=yes` leaves it for an origin that asks as well.
 *
 * Environment: `USERS` (a secret), names and passwords with commas between them: `ana:correct horse, eli:battery staple`. `REALM`, what
 * browsers show (`restricted`).
 */
import type { Unit } from 'orla'

const encoder = new TextEncoder()

export default {
  async access(request, response, edge) {
    const { USERS, REALM = 'restricted', KEEP } = edge.env
    if (USERS === undefined) throw new Error('USERS is not set: deploy with --secret USERS=NAME:PASSWORD')
    const given = credentials(request.headers.get('authorization') ?? '')
    // Digests are compared instead of texts, and all of them: how long it takes tells nothing about what is right.
    const digest = await sha256(given ?? '')
    let isGood = false
    for (const known of await digestsOf(USERS)) if (isSame(digest, known)) isGood = true
    if (given === undefined || !isGood) {
      return new Response('who are you?\n', {
        status: 401,
        headers: {
          'www-authenticate': `Basic realm="${REALM.replaceAll(/["\\]/g, '')}", charset="UTF-8"`,
          'content-type': 'text/plain',
          'cache-control': 'no-store',
        },
      })
    }
    if (KEEP !== 'yes') request.headers.delete('authorization')
  },
} satisfies Unit

/** `NAME:PASSWORD`, or undefined where the header holds none. */
function credentials(header: string): string | undefined {
  const encoded = /^basic +([\w+/]+={0,2})$/i.exec(header)?.[1]
  if (encoded === undefined) return undefined
  try {
    const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0))
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return text.includes(':') ? text : undefined
  } catch {
    return undefined
  }
}

/** Made once for each isolate. */
let compiled: { readonly users: string; readonly digests: Promise<Uint8Array[]> } | undefined

function digestsOf(users: string): Promise<Uint8Array[]> {
  if (compiled?.users !== users) {
    const entries = users
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '')
    for (const entry of entries) {
      if (!/^[^:]+:./.test(entry)) throw new Error('USERS holds an entry that is not NAME:PASSWORD')
    }
    compiled = { users, digests: Promise.all(entries.map(sha256)) }
  }
  return compiled.digests
}

async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', encoder.encode(text)))
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!
  return difference === 0
}
