/**
 * Secrets at rest: sealed with AES-256-GCM before they enter the log, so that neither the file nor a replica tells them.
 *
 * The key is `ORLA_SECRET_KEY` where it is set, else a file of its own beside the store (readable by its owner alone),
 * made when the first secret is sealed. Keep a copy of it apart from backups of the store: without it the secrets are lost.
 *
 * The key changes in three steps, so that a process that is killed leaves secrets which all open with one key that is there:
 *
 *     orla.key.next is written → the store takes all secrets, sealed anew, in one transaction → orla.key.next becomes orla.key
 *
 * Who finds an `orla.key.next` asks the store which step was the last: `settle`.
 *
 * A replica may be behind the store whose secrets got another key: what it holds opens with the key of before, which it keeps beside the new one
 * (`orla.key.before`), and what comes with the new one. So the two may arrive in either order, and a process may be killed between them.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs'
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

export interface SealedSecret {
  readonly sealed: string
  readonly context: string
}

/** Secrets whose key can change. */
export interface RotatableSecrets extends Secrets {
  /**
   * Another key from now on. `reseal` has to put all secrets into the store, opened with the key of before and sealed with the new one, at
   * once or not at all; where it throws, the key of before stays. `given` is the new key in hex or base64; without it one is made, unless
   * the key comes from the environment, where only the operator can put another. Returns the start of the new key's SHA-256 in hex, by
   * which two keys are told apart.
   */
  rotate(
    given: string | undefined,
    reseal: (before: Secrets, next: Secrets) => Promise<void>,
  ): Promise<string>
  /** Whether there is a key. */
  has(): boolean
  /** The start of the SHA-256 of the key, in hex, while it changes of the next one; one is made where there is none. Throws `secret-unreadable`. */
  print(): string
  /** That key in base64, for an edge that follows this node. */
  key(): string
  /** The key of the control plane that this node follows. Throws where another one comes from the environment. */
  adopt(given: string): void
  /**
   * Ends a change of the key that was cut off. `sample` finds any secret of the store, and is asked only then. To be called before the first
   * use. `isNewest`: the store is no replica that may be behind; else both keys are kept until something opens with the next one.
   */
  settle(sample: () => SealedSecret | undefined, isNewest?: boolean): void
}

/** `environment` is the value of `ORLA_SECRET_KEY`: 32 bytes in hex or base64. */
export function openSecrets(directory: string, environment?: string): RotatableSecrets {
  const path = join(directory, 'orla.key')
  const nextPath = `${path}.next`
  const beforePath = `${path}.before`
  let key = environment ? parseKey(environment, 'ORLA_SECRET_KEY') : undefined
  /** What a replica that is behind, or ahead, is sealed with. */
  let other = !environment && existsSync(beforePath) ? readKey(beforePath) : undefined
  /** The next one, while it is not known yet whether the store has taken it. */
  let next: Buffer | undefined
  const current = () => (key ??= existsSync(path) ? readKey(path) : makeKey(path))
  /** The next key is in force. */
  const promote = () => {
    other = key
    key = next
    next = undefined
    if (!environment) renameSync(nextPath, path)
  }
  const secrets: RotatableSecrets = {
    seal(text, context) {
      return sealSecret(current(), text, context)
    },
    open(sealed, context) {
      key ??= readKey(path, context)
      try {
        return openSecret(key, sealed, context)
      } catch (error) {
        if (next && opens(next, { sealed, context })) promote()
        else if (!other || !opens(other, { sealed, context })) throw error
        return openSecret(opens(key, { sealed, context }) ? key : other!, sealed, context)
      }
    },
    async rotate(given, reseal) {
      if (given === undefined && environment) {
        throw new EdgeError('request-invalid', 'the key of this node comes from ORLA_SECRET_KEY', {
          hint: 'give the new key with --key FILE, and start the node with it from then on',
        })
      }
      const made = given === undefined ? randomBytes(KEY_BYTES) : parseKey(given, 'the new key', MAKES_KEY)
      key ??= existsSync(path) ? readKey(path) : undefined
      if (key?.equals(made)) {
        throw new EdgeError('request-invalid', 'the new key is the one that secrets are sealed with already')
      }
      if (!environment) writeSecretFile(nextPath, made.toString('base64'))
      next = made
      try {
        await reseal(secrets, secretsOf(made))
      } catch (error) {
        // An engine that gave no answer may have taken it: both keys stay.
        if (!(error instanceof EdgeError) || error.code !== 'store-unavailable') next = undefined
        throw error
      }
      // From here on it counts, also where the file cannot be renamed now: `settle` does it later. What was read may have promoted it already.
      if (next) promote()
      return keyPrint(made)
    },
    has: () => key !== undefined || existsSync(path),
    print: () => keyPrint(next ?? current()),
    key: () => Buffer.from(next ?? current()).toString('base64'),
    adopt(given) {
      const adopted = parseKey(given, 'the key of the control plane')
      key ??= existsSync(path) ? readKey(path) : undefined
      if (key?.equals(adopted)) return
      if (environment) {
        throw new EdgeError('secret-unreadable', 'ORLA_SECRET_KEY is not the key of the control plane', {
          hint: 'start this edge without it: it is given the key',
        })
      }
      if (key) writeSecretFile(beforePath, key.toString('base64'))
      other = key
      writeSecretFile(path, adopted.toString('base64'))
      key = adopted
    },
    settle(findSample, isNewest = true) {
      if (environment || !existsSync(nextPath)) return
      const sample = findSample()
      next = readKey(nextPath)
      key ??= existsSync(path) ? readKey(path) : undefined
      if (sample && opens(next, sample)) return promote()
      if (!isNewest) return
      next = undefined
      rmSync(nextPath)
    },
  }
  return secrets
}

const secretsOf = (key: Uint8Array): Secrets => ({
  seal: (text, context) => sealSecret(key, text, context),
  open: (sealed, context) => openSecret(key, sealed, context),
})

function opens(key: Uint8Array, { sealed, context }: SealedSecret): boolean {
  try {
    openSecret(key, sealed, context)
    return true
  } catch {
    return false
  }
}

/** Tells keys apart, and nothing of what they are. */
const keyPrint = (key: Uint8Array): string => createHash('sha256').update(key).digest('hex').slice(0, 8)

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
    throw new EdgeError('secret-unreadable', `${context} does not open with this key (${keyPrint(key)}…)`, {
      cause: error,
    })
  }
}

const MAKES_KEY = '`openssl rand -hex 32` prints one'

/** `hint` where it was never in use: there is none to bring back. */
function parseKey(text: string, from: string, hint?: string): Buffer {
  const trimmed = text.trim()
  const key = Buffer.from(trimmed, /^[0-9a-f]{64}$/i.test(trimmed) ? 'hex' : 'base64')
  if (key.length === KEY_BYTES) return key
  throw new EdgeError(
    'secret-unreadable',
    `${from} is not a key: ${KEY_BYTES} bytes in hex or base64 are expected`,
    hint === undefined ? {} : { hint },
  )
}

/** `wanted` is what it is to open, for the error. */
function readKey(path: string, wanted = 'secrets'): Buffer {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? `there is no ${path}` : message
    throw new EdgeError('secret-unreadable', `${wanted} cannot be opened: ${reason}`, { cause: error })
  }
  return parseKey(text, path)
}

function makeKey(path: string): Buffer {
  const key = randomBytes(KEY_BYTES)
  writeSecretFile(path, key.toString('base64'))
  return key
}
