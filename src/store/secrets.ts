/**
 * Secrets at rest: sealed with AES-256-GCM before they enter the log, so that neither the file nor a replica tells them.
 *
 * The key is `ORLA_SECRET_KEY` where it is set, else a file of its own beside the store (readable by its owner alone),
 * made when the first secret is sealed. Keep a copy of it apart from backups of the store: without it the secrets are lost.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EdgeError } from '../base/errors.ts'
import { writeSecretFile } from './secret-file.ts'

const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
const FORMAT = 'v1.'

export interface Secrets {
  /** `context` names what the secret is of: text sealed for one context does not open in another. */
  seal(text: string, context: string): string
  /** Throws `EdgeError` ('secret-unreadable') where the key or the context is another. */
  open(sealed: string, context: string): string
}

/** `environment` is the value of `ORLA_SECRET_KEY`: 32 bytes in hex or base64. */
export function openSecrets(directory: string, environment?: string): Secrets {
  const path = join(directory, 'orla.key')
  let key = environment ? parseKey(environment, 'ORLA_SECRET_KEY') : undefined
  return {
    seal(text, context) {
      key ??= existsSync(path) ? readKey(path) : makeKey(path)
      return sealSecret(key, text, context)
    },
    open(sealed, context) {
      key ??= readKey(path)
      return openSecret(key, sealed, context)
    },
  }
}

export function sealSecret(key: Uint8Array, text: string, context: string): string {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context))
  const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return FORMAT + Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64')
}

export function openSecret(key: Uint8Array, sealed: string, context: string): string {
  const bytes = Buffer.from(sealed.slice(FORMAT.length), 'base64')
  const nonce = bytes.subarray(0, NONCE_BYTES)
  const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(Buffer.from(context)).setAuthTag(tag)
    const body = bytes.subarray(NONCE_BYTES + TAG_BYTES)
    return decipher.update(body, undefined, 'utf8') + decipher.final('utf8')
  } catch (error) {
    const print = createHash('sha256').update(key).digest('hex').slice(0, 8)
    throw new EdgeError('secret-unreadable', `${context} does not open with this key (${print}…)`, {
      cause: error,
    })
  }
}

function parseKey(text: string, from: string): Buffer {
  const trimmed = text.trim()
  const key = Buffer.from(trimmed, /^[0-9a-f]{64}$/i.test(trimmed) ? 'hex' : 'base64')
  if (key.length === KEY_BYTES) return key
  throw new EdgeError(
    'secret-unreadable',
    `${from} is not a key: ${KEY_BYTES} bytes in hex or base64 are expected`,
  )
}

function readKey(path: string): Buffer {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new EdgeError('secret-unreadable', `${path}: ${(error as Error).message}`, { cause: error })
  }
  return parseKey(text, path)
}

function makeKey(path: string): Buffer {
  const key = randomBytes(KEY_BYTES)
  writeSecretFile(path, key.toString('base64'))
  return key
}
