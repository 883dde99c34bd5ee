/**
 * A process for tests to kill: opens the store in its first argument and appends for ever, two effects at a time, telling
 * each position on stdout once `append` has returned. With `hold` it only holds the store open.
 */
import { writeSync } from 'node:fs'
import { systemClock } from '../../base/clock.ts'
import { openStore } from '../sqlite-store.ts'

const [directory = '', mode] = process.argv.slice(2)
const store = openStore(directory, { clock: systemClock })
writeSync(1, 'open\n')
if (mode === 'hold') setInterval(() => {}, 60_000)
else {
  for (let n = 0; ; n++) {
    const { id, hash } = store.append([
      { operation: 'SET', key: `k${n % 50}`, value: `${n} ${'x'.repeat(n % 5000)}` },
      { operation: 'SET', key: 'last', value: String(n) },
    ])
    writeSync(1, `${id} ${hash}\n`)
  }
}
