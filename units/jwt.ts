/**
 * Lets in who brings a JSON Web Token (RFC 7519) that is valid: signed by a key that is known, and neither expired nor meant for somebody else.
 *
 * The token comes as `Authorization: Bearer …`, or in a cookie. Which algorithm counts is this unit's to say and never the token's: HS256 with
 * `SECRET`, RS256 and ES256 with the keys at `JWKS_URL` (RFC 7517). The origin is told who it is in `x-jwt-subject`, and the header is taken out, so that
 * answers can be kept.
 *
 * Environment: `SECRET` (a secret) or `JWKS_URL`. `ISSUER` and `AUDIENCE`: what `iss` and `aud` must hold. `COOKIE`: the cookie's name.
 * `KEEP=yes` leaves the header for the origin.
 */
import type { Unit } from 'orla'

/** Clocks differ by some seconds. */
const LEEWAY_SECONDS = 30
/** How long keys are used before they are asked for again, and how soon after that at the earliest. */
const KEYS_SECONDS = 600
const KEYS_AGAIN_SECONDS = 30

export default {
  async access(request, response, edge) {
    const { KEEP, COOKIE } = edge.env
    const bearer = /^bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
    const token = bearer ?? (COOKIE === undefined ? undefined : request.cookies.get(COOKIE))
    // Nobody but this unit says who somebody is.
    request.headers.delete('x-jwt-subject')
    if (token === undefined) return refused('no token')
    const result = await check(token, edge.env, Date.now() / 1000)
    if (typeof result === 'string') return refused(result)
    if (typeof result.sub === 'string' && /^[\x21-\x7e]+$/.test(result.sub))
      request.headers.set('x-jwt-subject', result.sub)
    if (KEEP !== 'yes') request.headers.delete('authorization')
  },
} satisfies Unit

type Environment = Readonly<Record<string, string | undefined>>

interface Claims {
  readonly sub?: unknown
  readonly iss?: unknown
  readonly aud?: unknown
  readonly exp?: unknown
  readonly nbf?: unknown
}

/** What the token says, or what is wrong with it. */
async function check(token: string, env: Environment, now: number): Promise<Claims | string> {
  const parts = token.split('.')
  const [head, claims] = [jsonOf(parts[0]), jsonOf(parts[1])]
  const signature = bytesOf(parts[2])
  if (parts.length !== 3 || !head || !claims || !signature) return 'the token is malformed'
  const signed = encoder.encode(`${parts[0]}.${parts[1]}`)
  // RFC 7515 §4.1.11: what is critical and not understood is refused.
  if (head['crit'] !== undefined) return 'the token needs what is not known here'
  if (!(await isSigned(head, signature, signed, env))) return 'the signature is wrong'
  return claimsProblem(claims, env, now) ?? claims
}

async function isSigned(
  head: Readonly<Record<string, unknown>>,
  signature: Uint8Array<ArrayBuffer>,
  signed: Uint8Array<ArrayBuffer>,
  { SECRET, JWKS_URL }: Environment,
): Promise<boolean> {
  const { alg, kid } = head
  if (SECRET !== undefined) {
    if (alg !== 'HS256') return false
    const key = await crypto.subtle.importKey(
      'raw',
      encoder.encode(SECRET),
      { name: 'HMAC', hash: 'SHA-256' },
      false,
      ['verify'],
    )
    return crypto.subtle.verify('HMAC', key, signature, signed)
  }
  if (JWKS_URL === undefined) throw new Error('neither SECRET nor JWKS_URL is set')
  if (alg !== 'RS256' && alg !== 'ES256') return false
  const jwk = await keyFor(JWKS_URL, alg, kid)
  if (jwk === undefined) return false
  if (alg === 'RS256') {
    const key = await crypto.subtle.importKey(
      'jwk',
      jwk,
      { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
      false,
      ['verify'],
    )
    return crypto.subtle.verify('RSASSA-PKCS1-v1_5', key, signature, signed)
  }
  const key = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, [
    'verify',
  ])
  return crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, signature, signed)
}

function claimsProblem(claims: Claims, { ISSUER, AUDIENCE }: Environment, now: number): string | undefined {
  const { exp, nbf, iss, aud } = claims
  if (exp !== undefined && !(typeof exp === 'number' && exp + LEEWAY_SECONDS > now))
    return 'the token has expired'
  if (nbf !== undefined && !(typeof nbf === 'number' && nbf - LEEWAY_SECONDS <= now))
    return 'the token is not valid yet'
  if (ISSUER !== undefined && iss !== ISSUER) return 'the token is of another issuer'
  const audiences: unknown[] = Array.isArray(aud) ? aud : [aud]
  if (AUDIENCE !== undefined && !audiences.includes(AUDIENCE)) return 'the token is for somebody else'
  return undefined
}

// ── keys ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** One fetch serves all who wait; what is known stays in use while the server of the keys is away. */
let keys:
  | { readonly url: string; readonly at: number; readonly list: Promise<readonly JsonWebKey[]> }
  | undefined

async function keyFor(url: string, alg: 'RS256' | 'ES256', kid: unknown): Promise<JsonWebKey | undefined> {
  const age = keys?.url === url ? Date.now() / 1000 - keys.at : Infinity
  let list = age < KEYS_SECONDS ? await keys!.list : await load(url)
  let found = list.find((key) => fits(key, alg, kid))
  // A key that is not known may be new: asked once more, but not for each token that is made up.
  if (found === undefined && age > KEYS_AGAIN_SECONDS && age < KEYS_SECONDS) {
    list = await load(url)
    found = list.find((key) => fits(key, alg, kid))
  }
  return found
}

function load(url: string): Promise<readonly JsonWebKey[]> {
  const before = keys?.url === url ? keys.list : undefined
  const list = ask(url).catch((error: unknown) => {
    if (before === undefined) {
      keys = undefined
      throw error
    }
    console.warn('the keys of before stay in use:', error)
    return before
  })
  keys = { url, at: Date.now() / 1000, list }
  return list
}

async function ask(url: string): Promise<readonly JsonWebKey[]> {
  const answer = await fetch(url, { headers: { accept: 'application/json' } })
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`)
  const { keys: list } = (await answer.json()) as { keys?: unknown }
  if (!Array.isArray(list)) throw new Error(`${url} holds no keys`)
  return list as JsonWebKey[]
}

function fits(key: JsonWebKey, alg: 'RS256' | 'ES256', kid: unknown): boolean {
  const isKind = alg === 'RS256' ? key.kty === 'RSA' : key.kty === 'EC' && key.crv === 'P-256'
  const isForThis = (key.use === undefined || key.use === 'sig') && (key.alg === undefined || key.alg === alg)
  return isKind && isForThis && (kid === undefined || key.kid === kid)
}

// ── text ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const encoder = new TextEncoder()

function bytesOf(part = ''): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[\w-]+$/.test(part)) return undefined
  try {
    const text = atob(part.replaceAll('-', '+').replaceAll('_', '/'))
    return Uint8Array.from(text, (character) => character.charCodeAt(0))
  } catch {
    return undefined
  }
}

function jsonOf(part?: string): Record<string, unknown> | undefined {
  const bytes = bytesOf(part)
  if (bytes === undefined) return undefined
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

const refused = (why: string) =>
  new Response(`${why}\n`, {
    status: 401,
    headers: {
      'www-authenticate':
        why === 'no token' ? 'Bearer' : `Bearer error="invalid_token", error_description="${why}"`,
      'content-type': 'text/plain',
      'cache-control': 'no-store',
    },
  })
