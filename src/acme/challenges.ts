/**
 * Challenges of an ACME authority that are pending, as they lie in the store: `acme-challenge/TOKEN`. Whichever node the authority comes to
 * answers them. Nothing of it is secret: who asks is told all there is (RFC 8555 §8.3, RFC 8737 §3).
 */
import { createHash } from 'node:crypto'
import type { Effect, StoreView } from '../contract/store.ts'
import { type ChallengeMaterial } from '../contract/tls.ts'
import type { AcmeConfig } from '../config/schema.ts'
import { challengeCertificate } from './requests.ts'

export const CHALLENGE_PREFIX = 'acme-challenge/'

export interface Challenge {
  readonly name: string
  readonly type: AcmeConfig['challenge']
  readonly keyAuthorisation: string
}

export const challengeEffect = (token: string, challenge: Challenge): Effect => ({
  operation: 'SET',
  key: CHALLENGE_PREFIX + token,
  value: JSON.stringify(challenge),
})

/** Takes away what is pending; of the name alone, where one is given. */
export const withdrawal = (store: StoreView, name?: string): readonly Effect[] =>
  store
    .list(CHALLENGE_PREFIX)
    .filter(([, text]) => name === undefined || (JSON.parse(text) as Challenge).name === name)
    .map(([key]) => ({ operation: 'DELETE', key }))

/** What workers answer them with. */
export function challengeMaterial(store: StoreView, nowMs: number): ChallengeMaterial {
  const http = new Map<string, string>()
  const tlsAlpn = new Map<string, { id: string; cert: string; key: string; names: readonly string[] }>()
  for (const [at, text] of store.list(CHALLENGE_PREFIX)) {
    const token = at.slice(CHALLENGE_PREFIX.length)
    const { name, type, keyAuthorisation } = JSON.parse(text) as Challenge
    if (type === 'http-01') http.set(token, keyAuthorisation)
    else {
      const digest = createHash('sha256').update(keyAuthorisation).digest()
      tlsAlpn.set(name, { id: token, ...challengeCertificate(name, digest, nowMs), names: [name] })
    }
  }
  return { http, tlsAlpn }
}
