/**
 * All secrets of units sealed with another key, in one append: those of the live versions and of those that a rollback may go to.
 *
 * What is opened is as it was, so nothing of it goes live and no version changes. The log still holds what was sealed with the key before.
 */
import type { Effect, Store } from '../contract/store.ts'
import { recordKey, secretContext, type SecretBox, type VersionRecord } from './records.ts'

/** Secrets with a key that can change; `store/secrets.ts` has it. */
export interface RotatableBox extends SecretBox {
  rotate(given: string | undefined, reseal: (before: SecretBox, next: SecretBox) => void): string
  settle(sample: { readonly sealed: string; readonly context: string } | undefined): void
}

export interface Rotation {
  /** The start of the SHA-256 of the new key. */
  readonly key: string
  /** How many secrets were sealed anew, over all versions that are kept. */
  readonly secrets: number
  /** How many versions of units have any. */
  readonly versions: number
}

/** Nothing else may change the store meanwhile. Throws with all secrets as they were. */
export function rotateSecrets(store: Store, box: RotatableBox, given?: string): Rotation {
  settleSecrets(store, box)
  let secrets = 0
  const effects: Effect[] = []
  const key = box.rotate(given, (before, next) => {
    for (const { name, key: recordAt, record } of sealedRecords(store)) {
      const env = Object.entries(record.env).map(([variable, value]) => {
        if (!('sealed' in value)) return [variable, value] as const
        secrets++
        const context = secretContext(name, variable)
        return [variable, { sealed: next.seal(before.open(value.sealed, context), context) }] as const
      })
      const value = JSON.stringify({ ...record, env: Object.fromEntries(env) })
      effects.push({ operation: 'SET', key: recordAt, value })
    }
    store.append(effects)
  })
  return { key, secrets, versions: effects.length }
}

/** Ends a rotation that was cut off. */
export function settleSecrets(store: Store, box: RotatableBox): void {
  for (const { name, record } of sealedRecords(store)) {
    for (const [variable, value] of Object.entries(record.env)) {
      if ('sealed' in value) {
        box.settle({ sealed: value.sealed, context: secretContext(name, variable) })
        return
      }
    }
  }
  box.settle(undefined)
}

function* sealedRecords(store: Store) {
  const prefix = 'unit-version/'
  for (const [key, text] of store.list(prefix)) {
    const [name = '', version = ''] = key.slice(prefix.length).split('/')
    const record = JSON.parse(text) as VersionRecord
    if (key !== recordKey(name, Number(version))) continue
    if (Object.values(record.env).some((value) => 'sealed' in value)) yield { name, key, record }
  }
}
