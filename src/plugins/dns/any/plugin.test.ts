/** What `any` takes in a Corefile, and what it refuses. */
import { itRefuses, itTakes } from '../testing/setup-table.ts'
import any from './plugin.ts'

itTakes(any, ['any'])
itRefuses(any, [
  ['any a', /'a' is one too many/],
  ['any {\n}', /takes no block/],
])
