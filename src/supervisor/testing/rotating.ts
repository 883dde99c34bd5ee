/** Changes the key of the secrets in a data directory again and again, until it is killed: `node rotating.ts DIRECTORY`. */
import { systemClock } from '../../base/clock.ts'
import { fileRewriter } from '../../replication/store-writer.ts'
import { openSecrets } from '../../store/secrets.ts'
import { openStore } from '../../store/sqlite-store.ts'
import { rotateSecrets } from '../store/secret-rotation.ts'

const directory = process.argv[2]!
const store = openStore(directory, { clock: systemClock })
const secrets = openSecrets(directory)
// Once before it may be killed: on a slow machine none would come to its end else.
await rotateSecrets(store, fileRewriter(store), secrets)
process.stdout.write('ready\n')
for (;;) await rotateSecrets(store, fileRewriter(store), secrets)
