/** What `header` takes in a Corefile, and what it refuses: the table of CoreDNS, and more. */
import { itRefuses, itTakes } from '../testing/setup-table.ts'
import header from './plugin.ts'

itTakes(header, [
  'header {\nquery set rd\n}',
  'header {\nresponse set aa\n}',
  'header {\nresponse set ra aa\nquery clear rd\n}',
  'header {\nset ra\nclear RD\n}',
  'header {\nresponse set ra\n}\nheader {\nresponse clear ra\n}',
])
itRefuses(header, [
  ['header', /needs a block/],
  ['header {\n}', /needs a block/],
  ['header ra {\nset ra\n}', /one too many/],
  ['header {\nfoo\n}', /Corefile:2 - .*invalid selector=foo should be query or response/],
  ['header {\nresponse set\n}', /invalid length for flags, at least one should be provided/],
  ['header {\nquery foo\n}', /invalid length for flags, at least one should be provided/],
  ['header {\nquery foo rd\n}', /unknown flag action=foo, should be set or clear/],
  ['header {\nresponse set ra tc\n}', /flag=tc, should be aa, ra or rd/],
  ['header {\nset\n}', /at least one/],
])
