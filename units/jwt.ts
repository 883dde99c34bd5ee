/**
 * Lets in who brings a JSON Web Token (RFC 7519) that is valid: signed by a key that is known, and neither expired nor meant for somebody else.
 *
 * The token comes as `Authorization: Bearer …`, or in a cookie. Which algorithm counts is this unit's to say and never the token's: HS256 with
 * `SECRET`, RS256 and ES256 with the keys at `JWKS_URL` (RFC 7517). The origin is told who it is in `x-jwt-subject`, and the header is taken out, so that
 * answers can be kept. What of a subject is not a visible character of ASCII stands there as the bytes of its UTF-8, percent-encoded, and so does `%`: so no two
 * subjects look alike. A token without `sub` brings no header.
 *
 * Environment: `SECRET` (a secret) or `JWKS_URL`. `ISSUER` and `AUDIENCE`: what `iss` and `aud` must hold. `COOKIE`: the cookie's name.
 * `KEEP=yes` leaves the header for the origin.
 */
import type { Edge, Unit } from 'orla'

/** Clocks differ by some seconds. */
const LEEWAY_SECONDS = 30
/** After so long keys are asked for again while requests go on, and after so long requests wait for that. */
const KEYS_OLD_SECONDS = 300
const KEYS_SECONDS = 600
/** How soon after one attempt the next may come. */
const KEYS_AGAIN_SECONDS = 30
/** Less than `wallMs`: who waits is told why. */
const KEYS_WAIT_MS = 4000
/** How soon after that the next attempt comes where nothing is known yet. */
const NO_KEYS_SECONDS = 1
/** A token without `kid` is tried with so many keys. */
const KEYS_TRIED_MAX = 8

export default {
  limits: { wallMs: 5000 },
  async access(request, response, edge) {
    const { KEEP, COOKIE } = edge.env
    const bearer = /^bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
    const token = bearer ?? (COOKIE === undefined ? undefined : request.cookies.get(COOKIE))
    // Nobody but this unit says who somebody is.
    request.headers.delete('x-jwt-subject')
    if (token === undefined) return refused('no token')
    const result = await check(token, edge, Date.now() / 1000)
    if (result === NO_KEYS) return unknowable()
    if (typeof result === 'string') return refused(result)
    if (result.sub) request.headers.set('x-jwt-subject', visible(result.sub))
    if (KEEP !== 'yes') request.headers.delete('authorization')
  },
} satisfies Unit

type Environment = Readonly<Record<string, string | undefined>>

interface Claims {
  readonly sub?: string
  readonly iss?: unknown
  readonly aud?: unknown
  readonly exp?: unknown
  readonly nbf?: unknown
}

/** What the token says, or what is wrong with it. */
async function check(token: string, edge: Edge, now: number): Promise<Claims | string> {
  const parts = token.split('.')
  const [head, claims] = [jsonOf(parts[0]), jsonOf(parts[1])]
  const signature = bytesOf(parts[2])
  if (parts.length !== 3 || !head || !claims || !signature) return 'the token is malformed'
  const signed = encoder.encode(`${parts[0]}.${parts[1]}`)
  // RFC 7515 §4.1.11: what is critical and not understood is refused.
  if (head['crit'] !== undefined) return 'the token needs what is not known here'
  const isSigned = await checkSignature(head, signature, signed, edge)
  if (isSigned === undefined) return NO_KEYS
  if (!isSigned) return 'the signature is wrong'
  // RFC 7519 §4.1.2: a text, where it is there.
  const { sub } = claims
  if (sub !== undefined && typeof sub !== 'string') return 'the token is malformed'
  return claimsProblem(claims, edge.env, now) ?? { ...claims, sub }
}

/** Undefined where there is no key to check it with. */
async function checkSignature(
  head: Readonly<Record<string, unknown>>,
  signature: Uint8Array<ArrayBuffer>,
  signed: Uint8Array<ArrayBuffer>,
  edge: Edge,
): Promise<boolean | undefined> {
  const { alg, kid } = head
  const { SECRET, JWKS_URL } = edge.env
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
  const keys = await keysFor(JWKS_URL, alg, kid, edge)
  if (keys === undefined) return undefined
  for (const jwk of keys) if (await isOf(jwk, ALGORITHMS[alg], signature, signed)) return true
  return false
}

const ALGORITHMS = {
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  ES256: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
} as const

/** False also for what is no key: that keeps nobody out who has another, and a token that names it fails nothing but itself. */
async function isOf(
  jwk: JsonWebKey,
  algorithm: (typeof ALGORITHMS)['RS256' | 'ES256'],
  signature: Uint8Array<ArrayBuffer>,
  signed: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  try {
    const key = await crypto.subtle.importKey('jwk', jwk, algorithm, false, ['verify'])
    return await crypto.subtle.verify(algorithm, key, signature, signed)
  } catch (error) {
    console.warn('a key that cannot be used:', error)
    return false
  }
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

interface Keys {
  readonly url: string
  /** When they came, in seconds. */
  readonly at: number
  readonly list: readonly JsonWebKey[]
}

/** What is known stays in use while the server of the keys is away. */
let known: Keys | undefined
/** One fetch serves all who wait. */
let asking: { readonly url: string; readonly keys: Promise<Keys> } | undefined
/** When they were asked for last, and whether that came to nothing. */
let askedAt = 0
let isAway = false

/** Those that may have signed it; undefined where there are none yet, since their server is away. */
async function keysFor(
  url: string,
  alg: 'RS256' | 'ES256',
  kid: unknown,
  edge: Edge,
): Promise<readonly JsonWebKey[] | undefined> {
  const fitting = ({ list }: Keys) => list.filter((key) => fits(key, alg, kid)).slice(0, KEYS_TRIED_MAX)
  const before = known
  const now = Date.now() / 1000
  if (before?.url !== url) {
    // Who asks again at once gets the same, and the server of the keys its peace.
    const isHopeless = isAway && asking === undefined && now - askedAt < NO_KEYS_SECONDS
    return isHopeless ? undefined : load(url, edge).then(fitting, () => undefined)
  }
  const age = now - before.at
  const mayAsk = now - askedAt > KEYS_AGAIN_SECONDS
  let keys = before
  if (age > KEYS_SECONDS && !isAway) keys = await reload(before, edge)
  else if (age > KEYS_OLD_SECONDS && mayAsk) void reload(before, edge)
  const found = fitting(keys)
  // A key that is not known may be new: asked once more, but not for each token that is made up.
  return found.length === 0 && mayAsk && keys === before ? fitting(await reload(before, edge)) : found
}

const reload = (before: Keys, edge: Edge): Promise<Keys> => load(before.url, edge).catch(() => before)

function load(url: string, edge: Edge): Promise<Keys> {
  if (asking?.url === url) return asking.keys
  askedAt = Date.now() / 1000
  const keys = ask(url).then(
    (list) => {
      asking = undefined
      isAway = false
      return (known = { url, at: Date.now() / 1000, list })
    },
    (error: unknown) => {
      asking = undefined
      isAway = true
      console.warn('no keys:', error)
      throw error
    },
  )
  asking = { url, keys }
  // It goes on for the others when the request that began it is over.
  edge.waitUntil(keys.catch(() => {}))
  return keys
}

async function ask(url: string): Promise<readonly JsonWebKey[]> {
  const signal = AbortSignal.timeout(KEYS_WAIT_MS)
  const answer = await fetch(url, { headers: { accept: 'application/json' }, signal })
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
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

const NO_KEYS = 'no keys'

/** Not an error of this unit, so it does not open its breaker: once the keys are there, everybody is let in at once. */
const unknowable = () =>
  new Response('tokens cannot be checked now: their keys are not to be had\n', {
    status: 503,
    headers: { 'retry-after': '5', 'content-type': 'text/plain', 'cache-control': 'no-store' },
  })

/** As a field's value: two texts that differ stay different. */
function visible(text: string): string {
  if (/^[\x21-\x24\x26-\x7e]*$/.test(text)) return text
  let value = ''
  for (const byte of encoder.encode(text)) {
    const isPlain = byte > 0x20 && byte < 0x7f && byte !== 0x25
    value += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return value
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
