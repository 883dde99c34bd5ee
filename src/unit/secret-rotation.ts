/**
 * All secrets of units sealed with another key, at one moment: those of the live versions, of those that a rollback may go to, and of all
 * that the log has of before, as whoever has the key of before and gets at the log later would read them there.
 *
 * What is opened is as it was, so nothing of it goes live and no version changes.
 */
import { EdgeError } from '../base/errors.ts'
import type { StoreView } from '../contract/store.ts'
import { type EnvValue, recordKey, secretContext, type SecretBox, type VersionRecord } from './records.ts'

/** Secrets with a key that can change; `store/secrets.ts` has it. */
export interface RotatableBox extends SecretBox {
  rotate(
    given: string | undefined,
    reseal: (before: SecretBox, next: SecretBox) => Promise<void>,
  ): Promise<string>
  settle(sample: () => Sealed | undefined, isNewest?: boolean): void
}

interface Sealed {
  readonly sealed: string
  readonly context: string
}

/** What can change the store's history; `replication/store-writer.ts` has it. */
export interface Rewriter {
  /** Reads what others wrote, so that the store is what the log says. Throws where that cannot be known. */
  newest(): Promise<void>
  rewrite(prefix: string, change: (key: string, value: string, isCurrent: boolean) => string): Promise<void>
}

export interface Rotation {
  /** The start of the SHA-256 of the new key. */
  readonly key: string
  /** How many secrets were sealed anew, over all versions that are kept. */
  readonly secrets: number
  /** How many versions of units have any. */
  readonly versions: number
}

const PREFIX = 'unit-version/'

/**
 * Nothing else may change the store meanwhile. Throws with all secrets as they were; but where `onLost` is given, it makes the text
 * that takes the place of a secret in force which does not open with the key before.
 */
export async function rotateSecrets(
  store: StoreView,
  writer: Rewriter,
  box: RotatableBox,
  given?: string,
  onLost?: (context: string) => string,
): Promise<Rotation> {
  await writer.newest()
  settleSecrets(store, box)
  let secrets = 0
  let versions = 0
  const key = await box.rotate(given, async (before, next) => {
    const reseal = (sealed: string, context: string, isKept: boolean): string => {
      if (isKept) secrets++
      try {
        return next.seal(before.open(sealed, context), context)
      } catch (error) {
        // Of a key before the one before: nobody needs it, and whoever has that key must not read it.
        if (!isKept) return ''
        if (onLost === undefined || !(error instanceof EdgeError)) throw error
        return next.seal(onLost(context), context)
      }
    }
    await writer.rewrite(PREFIX, (recordAt, text, isKept) => {
      const found = sealedRecord(recordAt, text)
      if (found === undefined) return text
      const { name, record } = found
      if (isKept) versions++
      const env = Object.entries(record.env).map(([variable, value]): [string, EnvValue] =>
        'sealed' in value
          ? [variable, { sealed: reseal(value.sealed, secretContext(name, variable), isKept) }]
          : [variable, value],
      )
      return JSON.stringify({ ...record, env: Object.fromEntries(env) })
    })
  })
  return { key, secrets, versions }
}

/** Ends a rotation that was cut off. */
export const settleSecrets = (store: StoreView, box: RotatableBox, isNewest = true): void =>
  box.settle(() => anySealed(store), isNewest)

function anySealed(store: StoreView): Sealed | undefined {
  for (const [key, text] of store.list(PREFIX)) {
    const found = sealedRecord(key, text)
    if (found === undefined) continue
    for (const [variable, value] of Object.entries(found.record.env)) {
      if ('sealed' in value) return { sealed: value.sealed, context: secretContext(found.name, variable) }
    }
  }
  return undefined
}

/** The version that lies there, if it has secrets. */
function sealedRecord(
  key: string,
  text: string,
): { readonly name: string; readonly record: VersionRecord } | undefined {
  const [name = '', version = ''] = key.slice(PREFIX.length).split('/')
  if (key !== recordKey(name, Number(version))) return undefined
  const record = JSON.parse(text) as VersionRecord
  return Object.values(record.env).some((value) => 'sealed' in value) ? { name, record } : undefined
}
