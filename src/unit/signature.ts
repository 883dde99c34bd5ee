/**
 * Signatures of units: Ed25519 over what runs, so that whoever can write the store cannot make an edge run what no trusted person made.
 *
 * A statement holds the name, a hash of the built code, the phases and the whole manifest, in one fixed order of keys. It holds no version and no
 * environment: the same code under the same name may be rolled back to, and its values set, without the key.
 */
import { createHash, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { EdgeError } from '../base/errors.ts'
import type { Manifest } from '../contract/unit.ts'

export interface SignedContent {
  readonly code: string
  readonly phases: number
  readonly manifest: Manifest
  /** `KEY.SIGNATURE`; absent where nobody signed. */
  readonly signature?: string | undefined
}

/** DER of an Ed25519 public key up to its 32 bytes (RFC 8410 §4). */
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex')
const PUBLIC_PREFIX = 'ed25519:'

/** Throws for a version that may not run here. */
export type CheckSignature = (name: string, content: SignedContent) => void

export function signatureCheck(trusted: readonly string[], isRequired: boolean): CheckSignature {
  const keys = new Map(trusted.map((text) => [keyId(text), parsePublicKey(text)]))
  return (name, content) => {
    if (content.signature === undefined) {
      if (!isRequired) return
      throw new EdgeError('unit-unsigned', `${name} is not signed, and this node runs signed units alone`)
    }
    if (keys.size === 0) return
    const [id = '', text = ''] = content.signature.split('.')
    const key = keys.get(id)
    if (!key)
      throw new EdgeError(
        'unit-unsigned',
        `${name} is signed with the key ${id.slice(0, 32)}, which is not trusted here`,
      )
    if (verify(null, statement(name, content), key, Buffer.from(text, 'base64url'))) return
    throw new EdgeError('unit-unsigned', `the signature of ${name} is not of its name, code and manifest`, {
      hint: 'sign it with the same version of orla as the node runs: `orla deploy --sign KEYFILE`',
    })
  }
}

/** `key` is the private one that `newKey` made. */
export function signUnit(key: KeyObject, name: string, content: SignedContent): string {
  return `${keyId(publicText(key))}.${sign(null, statement(name, content), key).toString('base64url')}`
}

export function newKey(): { readonly pem: string; readonly trusted: string } {
  const { privateKey } = generateKeyPairSync('ed25519')
  return {
    pem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    trusted: publicText(privateKey),
  }
}

/** The public half, as nodes are told whom to trust. */
export function publicText(key: KeyObject): string {
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new EdgeError(
      'request-invalid',
      `the key is ${key.asymmetricKeyType}; \`orla keys new\` makes one of Ed25519`,
    )
  }
  const der = createPublicKey(key).export({ type: 'spki', format: 'der' })
  return PUBLIC_PREFIX + der.subarray(SPKI_HEAD.length).toString('base64')
}

const keyId = (trusted: string): string => createHash('sha256').update(trusted).digest('hex').slice(0, 16)

function parsePublicKey(text: string): KeyObject {
  const raw = Buffer.from(text.slice(PUBLIC_PREFIX.length), 'base64')
  return createPublicKey({ key: Buffer.concat([SPKI_HEAD, raw]), type: 'spki', format: 'der' })
}

function statement(name: string, { code, phases, manifest }: SignedContent): Buffer {
  const hash = createHash('sha256').update(code).digest('hex')
  return Buffer.from(JSON.stringify(['orla unit 1', name, hash, phases, sorted(manifest)]))
}

/** The same value with its keys in order, so that it gives one text whoever made it. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined)
  return entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, sorted(inner)])
}
