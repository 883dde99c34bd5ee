/** The key of secrets changes in the data directory of a node that is stopped. */
import { systemClock } from '../base/clock.ts'
import { openSecrets } from '../store/secrets.ts'
import { openStore } from '../store/sqlite-store.ts'
import { rotateSecrets, type Rotation } from '../unit/secret-rotation.ts'

/**
 * `before` is the value of `ORLA_SECRET_KEY`, where the node was started with it; `given` the new key. Throws where a node runs on the
 * directory, or where a secret does not open; then nothing was changed.
 */
export function rotateStopped(
  directory: string,
  before: string | undefined,
  given: string | undefined,
): Rotation {
  const store = openStore(directory, { clock: systemClock })
  try {
    return rotateSecrets(store, openSecrets(directory, before), given)
  } finally {
    store.close()
  }
}
