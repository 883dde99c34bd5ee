import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseLayout } from './layout.ts'

/** What stands in Redis, and what it says: phase, code, share. */
const GOOD: readonly (readonly [text: string, phase: string, code: string, share?: number])[] = [
  ['access||return', 'access', 'return'],
  ['access_by_lua_block||return', 'access', 'return'],
  ['access_by_lua||return', 'access', 'return'],
  ['rewrite_by_lua_file||return', 'rewrite', 'return'],
  ['header_filter||a()', 'headerFilter', 'a()'],
  ['header_filter_by_lua_block||a()', 'headerFilter', 'a()'],
  ['headerFilter||a()', 'headerFilter', 'a()'],
  ['body_filter||a()', 'bodyFilter', 'a()'],
  ['content||a()', 'content', 'a()'],
  ['log||a()', 'log', 'a()'],
  ['balancer||a()', 'origin', 'a()'],
  ['originResponse||a()', 'originResponse', 'a()'],
  [' access \r\n||a()', 'access', 'a()'],
  ['access||return a || b', 'access', 'return a || b'],
  ['access||return a||b', 'access', 'return a||b'],
  ['access||a()||50', 'access', 'a()', 50],
  ['access||a()||1', 'access', 'a()', 1],
  ['access||a()||100', 'access', 'a()', 100],
  ['access||a()||50\n', 'access', 'a()', 50],
  ['access||a()\r\n||50\r\n', 'access', 'a()\r\n', 50],
  ['access||return a||b||7', 'access', 'return a||b', 7],
  ['access||a()||50||60', 'access', 'a()||50', 60],
  // No shares: numbers that code ends with.
  ['access||return limit||0', 'access', 'return limit||0'],
  ['access||return limit||101', 'access', 'return limit||101'],
  ['access||a()||007', 'access', 'a()||007'],
  ['access||a()||1000', 'access', 'a()||1000'],
  ['access||a()||5.5', 'access', 'a()||5.5'],
  ['access||a()||-5', 'access', 'a()||-5'],
  ['access||return limit || 50', 'access', 'return limit || 50'],
  ['access||a()||50%', 'access', 'a()||50%'],
  ['access||50', 'access', '50'],
  ['access||line\r\nnext\r\n', 'access', 'line\r\nnext\r\n'],
]

for (const [text, phase, code, share] of GOOD) {
  test(`${JSON.stringify(text)} is ${phase}${share === undefined ? '' : ` for ${share} %`}`, () => {
    assert.deepEqual(parseLayout(text), { phase, code, ...(share !== undefined && { share }) })
  })
}

const BAD: readonly (readonly [text: string, problem: RegExp])[] = [
  ['', /holds no `\|\|`/],
  ['access', /holds no `\|\|`/],
  ['access|return', /holds no `\|\|`/],
  ['access||', /there is no code/],
  ['access|| \r\n ', /there is no code/],
  ['access||||50', /there is no code/],
  ['||return', /there is no phase ``: known are rewrite, /],
  ['acces||return', /there is no phase `acces`: did you mean `access`\?/],
  ['init_worker_by_lua_block||return', /`init_worker_by_lua_block` of nginx has no counterpart/],
  ['ssl_cert||return', /no counterpart/],
  ['__proto__||return', /there is no phase `__proto__`/],
  [`${'x'.repeat(5000)}||return`, /^there is no phase `x{40}…`/],
]

for (const [text, problem] of BAD) {
  test(`${JSON.stringify(text.slice(0, 40))} is told: ${problem.source}`, () => {
    const result = parseLayout(text)
    assert.ok('problem' in result, JSON.stringify(result))
    assert.match(result.problem, problem)
  })
}
