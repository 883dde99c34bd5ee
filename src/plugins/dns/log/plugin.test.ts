/** What `log` takes in a Corefile, and what it refuses: the table of CoreDNS, and more. */
import { itRefuses, itTakes } from '../testing/setup-table.ts'
import log from './plugin.ts'

itTakes(log, [
  'log',
  'log example.org',
  'log example.org. {common}',
  'log example.org {combined}',
  'log example.org {common}\nlog example.net {combined}',
  'log example.org example.net "{type} {name}"',
  'log "{type} {name}"',
  'log example.org {\nclass all\n}',
  'log example.org {common} {\nclass denial\n}',
  'log {\nclass denial error\n}',
  'log {\nclass denial\nclass error\n}',
  'log . {\nclass error\nminDuration 1s\n}',
])
itRefuses(log, [
  ['log {\nclass abracadabra\n}', /Corefile:2 - .*invalid class: 'abracadabra'/],
  ['log {\nclass\n}', /class needs one of/],
  ['log {\nunknown\n}', /unknown property 'unknown'/],
  ['log {\nminDuration\n}', /minDuration needs a time/],
  ['log {\nminDuration soon\n}', /minDuration needs a time/],
])
