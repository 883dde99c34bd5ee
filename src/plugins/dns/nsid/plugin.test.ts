/** What `nsid` takes in a Corefile, and what it refuses. */
import { itRefuses, itTakes } from '../testing/setup-table.ts'
import nsid from './plugin.ts'

itTakes(nsid, ['nsid', 'nsid "ps0"', 'nsid "tf 2"', 'nsid tf 2'])
itRefuses(nsid, [
  ['nsid\nnsid', /Corefile:2 - .*only be used once/],
  ['nsid {\n}', /takes no block/],
])
