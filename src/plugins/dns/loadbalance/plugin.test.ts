/** What `loadbalance` takes in a Corefile, and what it refuses: the table of CoreDNS, and more. */
import { itRefuses, itTakes } from '../testing/setup-table.ts'
import loadbalance from './plugin.ts'

itTakes(loadbalance, [
  'loadbalance',
  'loadbalance round_robin',
  'loadbalance weighted wfile',
  'loadbalance weighted wf {\nreload 10s\n}',
  'loadbalance weighted wf {\nreload 0s\nprefer 192.0.2.0/24 2001:db8::/32\n}',
  'loadbalance round_robin {\nlimit_answers 5\n}',
])
itRefuses(loadbalance, [
  ['loadbalance round_robin {\nreload 10s\n}', /unknown property 'reload'/],
  ['loadbalance weighted wfile {\nreload\n}', /reload duration value is missing/],
  ['loadbalance weighted wfile {\nprefer invalid\n}', /invalid CIDR 'invalid'/],
  ['loadbalance fleeb', /unknown policy: fleeb/],
  ['loadbalance round_robin a', /one too many/],
  ['loadbalance weighted', /missing weight file argument/],
  ['loadbalance weighted a b', /one too many/],
  ['loadbalance weighted wfile {\nsusu\n}', /unknown property 'susu'/],
  ['loadbalance weighted wfile {\nreload a\n}', /invalid reload duration 'a'/],
  ['loadbalance weighted wfile {\nreload 30s a\n}', /one too many/],
  ['loadbalance {\nlimit_answers 0\n}', /limit_answers needs/],
])
