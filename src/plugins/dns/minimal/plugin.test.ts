/** What `minimal` takes in a Corefile, and what it refuses. */
import { itRefuses, itTakes } from '../testing/setup-table.ts'
import minimal from './plugin.ts'

itTakes(minimal, ['minimal'])
itRefuses(minimal, [
  ['minimal example.org', /one too many/],
  ['minimal {\n}', /takes no block/],
])
