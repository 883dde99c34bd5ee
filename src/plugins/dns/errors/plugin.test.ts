/** What `errors` takes in a Corefile, what it logs, and what it refuses: the table of CoreDNS, and more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../../../../test/harness/eventually.ts'
import type { DnsPlugin } from '../../../contract/dns.ts'
import { answering } from '../testing/answering.ts'
import { blockOf } from '../testing/block.ts'
import { itRefuses, itTakes } from '../testing/setup-table.ts'
import errors from './plugin.ts'

itTakes(errors, [
  'errors',
  'errors stdout',
  'errors {\nstacktrace\n}',
  'errors {\npanicRecoveryStacktrace\nconsolidate 1m ^exact$\n}',
  'errors {\nconsolidate 1m error\n}',
  'errors {\nconsolidate 1m "format error"\n}',
  'errors {\nconsolidate 1m error1\nconsolidate 5s error2 warning show_first\n}',
])
itRefuses(errors, [
  ['errors errors.txt', /invalid log file: errors\.txt/],
  ['errors stdout b', /one too many/],
  ['errors {\nlog visible\n}', /unknown property 'log'/],
  ['errors\nerrors', /only be used once/],
  ['errors {\nconsolidate\n}', /needs a time and a regular expression/],
  ['errors {\nconsolidate 1m\n}', /needs a time and a regular expression/],
  ['errors {\nconsolidate 1m .* extra\n}', /unknown log level argument in consolidate: extra/],
  ['errors {\nconsolidate abc .*\n}', /invalid duration 'abc'/],
  ['errors {\nconsolidate 1 .*\n}', /invalid duration '1'/],
  ['errors {\nconsolidate 1m ())\n}', /Corefile:2 - .*no opening one/],
])

const failing: DnsPlugin = answering((query) => {
  if (query.qname.firstLabel === 'ok') return query.reply()
  query.explain('network error', `${query.qname.firstLabel} i/o timeout`)
  return query.qname.firstLabel === 'late' ? Promise.resolve(2 as const) : 2
})

test('why a query failed is logged, whether at once or later; what went well is not', async (t) => {
  const block = await blockOf(t, 'errors\nanswers', { plugins: [errors, failing] })
  for (const name of ['ok', 'read', 'late']) await block.ask(`${name}.example.org`)
  assert.deepEqual(block.logged, [
    'error errors: 2 read.example.org. A: read i/o timeout',
    'error errors: 2 late.example.org. A: late i/o timeout',
  ])
})

test('errors of a kind are told as a number, at the level that is said', async (t) => {
  const text =
    'errors {\nconsolidate 20ms ".*read i/o timeout$" warning\nconsolidate 1h .* info show_first\n}\nanswers'
  const block = await blockOf(t, text, { plugins: [errors, failing] })
  for (const name of ['read', 'read', 'write', 'write', 'write']) await block.ask(`${name}.example.org`)
  await eventually(() => block.logged.length === 2)
  assert.deepEqual(block.logged, [
    'info errors: 2 write.example.org. A: write i/o timeout',
    `warn errors: 2 errors like '.*read i/o timeout$' occurred in last 20ms`,
  ])
  // What waits is told at the end.
  await block.stop()
  assert.equal(block.logged[2], `info errors: 3 errors like '.*' occurred in last 1h`)
})
