/**
 * Tokens of the control plane, as they lie in the store: `token/ID` holds what a token may, and a hash of its secret.
 *
 *     orla_ID_SECRET      32 bytes of chance, so a plain SHA-256 of it cannot be turned back
 *
 * The secret is told once, when it is made. The token of the configuration (or of `control.token`) is the root: it is in no store, may
 * everything, and makes the others.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { EdgeError } from '../base/errors.ts'
import { samePosition, type Effect, type Position, type StoreView } from '../contract/store.ts'

/** Each may what those before it may. */
const PEOPLE = ['read', 'deploy', 'admin'] as const
/** `edge`: an edge that follows this control plane. It may follow and report, read what its units need, and nothing that people do. */
export const ROLES = [...PEOPLE, 'edge'] as const
export type Role = (typeof ROLES)[number]

export function hasRole(has: Role, needed: Role): boolean {
  if (needed === 'edge') return has === 'edge' || has === 'admin'
  return has !== 'edge' && PEOPLE.indexOf(has) >= PEOPLE.indexOf(needed)
}

/** Whose call it is. */
export interface Identity {
  readonly id: string
  readonly name: string
  readonly role: Role
  /** Names of the sites that it is limited to; undefined: all, and what belongs to none. */
  readonly sites: readonly string[] | undefined
}

export const ROOT: Identity = { id: 'root', name: 'root', role: 'admin', sites: undefined }

interface TokenRecord {
  readonly name: string
  readonly role: Role
  readonly sites?: readonly string[] | undefined
  /** SHA-256 of the whole token, hex. */
  readonly hash: string
  /** The hash before the last rotation, while it still counts. */
  readonly before?: { readonly hash: string; readonly until: number } | undefined
  readonly createdAt: number
  readonly createdBy: string
  readonly rotatedAt?: number | undefined
  readonly expiresAt?: number | undefined
  readonly revokedAt?: number | undefined
}

export interface TokenSummary extends Omit<TokenRecord, 'hash' | 'before'> {
  readonly id: string
  readonly state: 'valid' | 'expired' | 'revoked'
  /** Since the node started; undefined where it was not. */
  readonly usedAt?: number | undefined
}

export interface NewToken {
  readonly name: string
  readonly role: Role
  readonly sites?: readonly string[] | undefined
  readonly ttlMs?: number | undefined
}

const PREFIX = 'token/'
const ID_BYTES = 8
const SECRET_BYTES = 32
/** Tokens that are valid at once; those that are not are kept for the record. */
const TOKENS_MAX = 1000
/** Roots before this one whose holders are told so. */
const REPLACED_MAX = 10

/** Appends what was planned, planned anew where something else came first. */
export type AppendPlanned = (plan: () => readonly Effect[]) => Promise<unknown>

export class TokenBook {
  readonly #store: StoreView
  readonly #append: AppendPlanned
  readonly #now: () => number
  #root: Buffer
  /** Those before it. */
  readonly #replaced: Buffer[] = []
  #rootIdentity = ROOT
  #records = new Map<string, TokenRecord>()
  /** Where the store stood when they were read: whoever shares the engine makes tokens, too. */
  #readAt: Position | undefined
  readonly #usedAt = new Map<string, number>()

  constructor(store: StoreView, append: AppendPlanned, root: string, now: () => number) {
    this.#store = store
    this.#append = append
    this.#now = now
    this.#root = digest(root)
    this.#read()
  }

  #read(): Map<string, TokenRecord> {
    const position = this.#store.position()
    if (this.#readAt && samePosition(position, this.#readAt)) return this.#records
    this.#readAt = position
    return (this.#records = new Map(
      this.#store.list(PREFIX).map(([key, text]) => [key.slice(PREFIX.length), parsed(key, text)]),
    ))
  }

  isRoot(token: string): boolean {
    return timingSafeEqual(digest(token), this.#root)
  }

  /** From now on this is the root, and what was it before is not; neither are streams that it opened. */
  useRoot(token: string): void {
    this.#replaced.unshift(this.#root)
    this.#replaced.splice(REPLACED_MAX)
    this.#root = digest(token)
    this.#rootIdentity = { ...ROOT }
  }

  /** Whose token this is, or why it is not valid. The comparison takes as long whatever was sent. */
  identify(token: string): Identity | 'unknown' | 'expired' | 'revoked' | 'replaced' {
    const given = digest(token)
    const isRoot = timingSafeEqual(given, this.#root)
    const id = /^orla_([0-9a-f]{16})_/.exec(token)?.[1]
    const record = id === undefined ? undefined : this.#read().get(id)
    const isCurrent = timingSafeEqual(given, hashBytes(record?.hash))
    const isBefore = timingSafeEqual(given, hashBytes(record?.before?.hash))
    const isReplaced = this.#replaced.filter((root) => timingSafeEqual(given, root)).length > 0
    if (isRoot) return this.#rootIdentity
    if (isReplaced) return 'replaced'
    if (!record || id === undefined) return 'unknown'
    const isMatch = isCurrent || (isBefore && record.before!.until > this.#now())
    if (!isMatch) return 'unknown'
    const state = this.#state(record)
    if (state !== 'valid') return state
    this.#usedAt.set(id, this.#now())
    const { name, role, sites } = record
    return { id, name, role, sites }
  }

  /** Whether calls that began with this identity may go on: streams ask. */
  isValid(identity: Identity): boolean {
    const record = this.#read().get(identity.id)
    return identity === this.#rootIdentity || (record !== undefined && this.#state(record) === 'valid')
  }

  list(): readonly TokenSummary[] {
    return [...this.#read()].map(([id, record]) => this.#summary(id, record))
  }

  async create(
    { name, role, sites, ttlMs }: NewToken,
    by: Identity,
  ): Promise<{ readonly token: string; readonly info: TokenSummary }> {
    const valid = [...this.#read().values()].filter((record) => this.#state(record) === 'valid')
    if (valid.some((record) => record.name === name) || name === ROOT.name) {
      throw new EdgeError('request-invalid', `a token is called ${name} already`, {
        hint: 'rotate it, or use another name',
      })
    }
    if (valid.length >= TOKENS_MAX) {
      throw new EdgeError('request-invalid', `there are ${TOKENS_MAX} tokens already`, {
        hint: 'revoke some',
      })
    }
    if (role === 'edge' && sites) {
      throw new EdgeError('request-invalid', 'an edge has all sites: its token cannot be limited to some')
    }
    if (role === 'admin' && sites) {
      throw new EdgeError(
        'request-invalid',
        'an admin makes tokens and sites: it cannot be limited to some',
        {
          hint: 'use the role deploy',
        },
      )
    }
    const id = randomBytes(ID_BYTES).toString('hex')
    const token = makeToken(id)
    const now = this.#now()
    const record: TokenRecord = {
      name,
      role,
      ...(sites && { sites: [...new Set(sites)] }),
      hash: digest(token).toString('hex'),
      createdAt: now,
      createdBy: by.name,
      ...(ttlMs !== undefined && { expiresAt: now + ttlMs }),
    }
    await this.#write(id, record)
    return { token, info: this.#summary(id, record) }
  }

  /** Another secret for the same token; the one before counts for `graceMs` more. */
  async rotate(
    idOrName: string,
    graceMs: number,
  ): Promise<{ readonly token: string; readonly info: TokenSummary }> {
    const [id, record] = this.#valid(idOrName)
    const token = makeToken(id)
    const now = this.#now()
    const next = {
      ...record,
      hash: digest(token).toString('hex'),
      before: graceMs > 0 ? { hash: record.hash, until: now + graceMs } : undefined,
      rotatedAt: now,
    }
    await this.#write(id, next)
    return { token, info: this.#summary(id, next) }
  }

  /** From now on it is not valid. */
  async revoke(idOrName: string): Promise<TokenSummary> {
    const [id, record] = this.#valid(idOrName)
    const next = { ...record, before: undefined, revokedAt: this.#now() }
    await this.#write(id, next)
    return this.#summary(id, next)
  }

  #valid(idOrName: string): readonly [string, TokenRecord] {
    for (const [id, record] of this.#read()) {
      if ((id === idOrName || record.name === idOrName) && record.revokedAt === undefined) return [id, record]
    }
    throw new EdgeError('token-unknown', `there is no token ${idOrName.slice(0, 80)} that is not revoked`)
  }

  async #write(id: string, record: TokenRecord): Promise<void> {
    await this.#append(() => [{ operation: 'SET', key: PREFIX + id, value: JSON.stringify(record) }])
  }

  #state({ revokedAt, expiresAt }: TokenRecord): TokenSummary['state'] {
    if (revokedAt !== undefined) return 'revoked'
    return expiresAt !== undefined && expiresAt <= this.#now() ? 'expired' : 'valid'
  }

  #summary(id: string, record: TokenRecord): TokenSummary {
    const { hash: _hash, before: _before, ...rest } = record
    const usedAt = this.#usedAt.get(id)
    return { id, ...rest, state: this.#state(record), ...(usedAt !== undefined && { usedAt }) }
  }
}

const makeToken = (id: string): string => `orla_${id}_${randomBytes(SECRET_BYTES).toString('base64url')}`

export const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

const NOBODY = randomBytes(32)
const hashBytes = (hex: string | undefined): Buffer => (hex === undefined ? NOBODY : Buffer.from(hex, 'hex'))

function parsed(key: string, text: string): TokenRecord {
  try {
    return JSON.parse(text) as TokenRecord
  } catch (error) {
    throw new EdgeError('store-corrupt', `the value of ${key} is no JSON`, { cause: error })
  }
}
