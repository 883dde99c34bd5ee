/** What `bufsize` takes in a Corefile, and what it refuses: the table of CoreDNS, and more. */
import { itRefuses, itTakes } from '../testing/setup-table.ts'
import bufsize from './plugin.ts'

itTakes(bufsize, ['bufsize', 'bufsize "1220"', 'bufsize 512', 'bufsize 4096'])
itRefuses(bufsize, [
  ['bufsize 5000', /within 512 - 4096 bytes: got '5000'/],
  ['bufsize "512 512"', /got '512 512'/],
  ['bufsize 512 512', /one too many/],
  ['bufsize 511', /within 512/],
  ['bufsize abc123', /got 'abc123'/],
  ['bufsize -600', /got '-600'/],
])
