/** The key of secrets changes in the data directory of a node that is stopped. */
import { randomBytes } from 'node:crypto'
import { systemClock } from '../../base/clock.ts'
import { fileRewriter } from '../../replication/store-writer.ts'
import { openSecrets } from '../../store/secrets.ts'
import { openStore } from '../../store/sqlite-store.ts'
import { rotateSecrets, type Rotation } from './secret-rotation.ts'

export interface StoppedRotation extends Rotation {
  /** Secrets that did not open, in words: each holds a text now that nobody knows. */
  readonly lost: readonly string[]
}

/**
 * `before` is the value of `ORLA_SECRET_KEY`, where the node was started with it; `given` the new key. Throws where a node runs on the
 * directory, or where a secret does not open; then nothing was changed. With `replaceLost` such a secret gets a text that nobody can guess,
 * and its unit goes on with that until it is set anew: left out, a unit might fall back to a value that everybody knows.
 */
export async function rotateStopped(
  directory: string,
  before: string | undefined,
  given: string | undefined,
  { replaceLost = false } = {},
): Promise<StoppedRotation> {
  const store = openStore(directory, { clock: systemClock })
  try {
    const box = openSecrets(directory, before)
    const lost = new Set<string>()
    const replace = (context: string): string => {
      lost.add(context)
      return randomBytes(24).toString('base64url')
    }
    const rotation = await rotateSecrets(
      store,
      fileRewriter(store),
      box,
      given,
      replaceLost ? replace : undefined,
    )
    return { ...rotation, lost: [...lost] }
  } finally {
    store.close()
  }
}
