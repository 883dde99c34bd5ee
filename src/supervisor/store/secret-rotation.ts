/**
 * All secrets of the log sealed with another key, at one moment: those of live versions of units, of those that a rollback may go to, keys of
 * certificates, and all that the log has of before, as whoever has the key of before and gets at the log later would read them there.
 *
 * What is opened is as it was, so nothing of it goes live and no version changes.
 */
import { EdgeError } from '../../base/errors.ts'
import type { SealedKind, SecretBox } from '../../contract/secrets.ts'
import type { StoreView } from '../../contract/store.ts'
import { SEALED_CERTIFICATES } from '../../tls/certificate-records.ts'
import { SEALED_VERSIONS } from '../../unit/sealed-versions.ts'

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
  rewrite(
    prefixes: readonly string[],
    change: (key: string, value: string, isCurrent: boolean) => string,
  ): Promise<void>
}

export interface Rotation {
  /** The start of the SHA-256 of the new key. */
  readonly key: string
  /** How many secrets of units were sealed anew, over all versions that are kept. */
  readonly secrets: number
  /** How many versions of units have any. */
  readonly versions: number
  /** How many keys of certificates were sealed anew. */
  readonly certificates: number
}

/** Everything in the log that is sealed. */
const KINDS: readonly SealedKind[] = [SEALED_VERSIONS, SEALED_CERTIFICATES]

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
  const counts = { secrets: 0, version: 0, certificate: 0 }
  const key = await box.rotate(given, async (before, next) => {
    const reseal = (sealed: string, context: string, isKept: boolean): string => {
      try {
        return next.seal(before.open(sealed, context), context)
      } catch (error) {
        // Of a key before the one before: nobody needs it, and whoever has that key must not read it.
        if (!isKept) return ''
        if (onLost === undefined || !(error instanceof EdgeError)) throw error
        return next.seal(onLost(context), context)
      }
    }
    const prefixes = KINDS.map(({ prefix }) => prefix)
    await writer.rewrite(prefixes, (at, text, isKept) => {
      const { what, reseal: within } = KINDS.find(({ prefix }) => at.startsWith(prefix))!
      const next = within(at, text, (sealed, context) => {
        if (isKept && what === 'version') counts.secrets++
        return reseal(sealed, context, isKept)
      })
      if (next !== undefined && isKept) counts[what]++
      return next ?? text
    })
  })
  return { key, secrets: counts.secrets, versions: counts.version, certificates: counts.certificate }
}

/** Ends a rotation that was cut off. */
export const settleSecrets = (store: StoreView, box: RotatableBox, isNewest = true): void =>
  box.settle(() => anySealed(store), isNewest)

function anySealed(store: StoreView): Sealed | undefined {
  let found: Sealed | undefined
  for (const { prefix, reseal } of KINDS) {
    for (const [key, text] of store.list(prefix)) {
      reseal(key, text, (sealed, context) => {
        found ??= { sealed, context }
        return sealed
      })
      if (found) return found
    }
  }
  return undefined
}
