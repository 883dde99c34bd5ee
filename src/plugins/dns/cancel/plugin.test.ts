/** What `cancel` takes in a Corefile, and what it refuses: the table of CoreDNS, and more. */
import { itRefuses, itTakes } from '../testing/setup-table.ts'
import cancel from './plugin.ts'

itTakes(cancel, ['cancel', 'cancel 5s', 'cancel 1m30s'])
itRefuses(cancel, [
  ['cancel 5', /'5' is no time/],
  ['cancel -1s', /invalid timeout: -1s/],
  ['cancel 0s', /invalid timeout: 0s/],
  ['cancel 1s 2s', /one too many/],
])
