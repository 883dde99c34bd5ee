/** What `whoami` takes in a Corefile, and what it refuses. */
import { itRefuses, itTakes } from '../testing/setup-table.ts'
import whoami from './plugin.ts'

itTakes(whoami, ['whoami'])
itRefuses(whoami, [
  ['whoami example.org', /'example\.org' is one too many/],
  ['whoami {\n}', /takes no block/],
  ['whoami\nwhoami', /Corefile:2 - .*only be used once/],
])
