/** What `chaos` takes in a Corefile, and what it refuses. */
import { itRefuses, itTakes } from '../testing/setup-table.ts'
import chaos from './plugin.ts'

itTakes(chaos, ['chaos', 'chaos v2', 'chaos v3 "Miek Gieben" someone', `chaos ${'v'.repeat(300)}`])
itRefuses(chaos, [
  ['chaos {\n}', /takes no block/],
  ['chaos\nchaos', /only be used once/],
])
