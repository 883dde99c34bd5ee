/** What `local` takes in a Corefile, and what it refuses. */
import { itRefuses, itTakes } from '../testing/setup-table.ts'
import local from './plugin.ts'

itTakes(local, ['local'])
itRefuses(local, [
  ['local example.org', /one too many/],
  ['local\nlocal', /only be used once/],
])
