import assert from 'node:assert/strict'
import { test } from 'node:test'
import { choosePath, compilePathTable } from './path-table.ts'

const CASES = [
  ['/hls/live/a', 'exact'],
  ['/hls/live/b', '/hls/live/*'],
  ['/hls/live/', '/hls/live/*'],
  ['/hls/live', '/hls/*'],
  ['/hls', '/h*'],
  ['/x', 'rest'],
  ['*', 'rest'],
  ['', 'rest'],
] as const

const PATTERNS: readonly (readonly [string, string])[] = [
  ['/h*', '/h*'],
  ['/hls/live/*', '/hls/live/*'],
  ['/hls/*', '/hls/*'],
  ['/hls/live/a', 'exact'],
]

test('the exact path counts before the longest start, and that before the rest', () => {
  const table = compilePathTable(PATTERNS, 'rest')
  for (const [path, expected] of CASES) assert.equal(choosePath(table, path), expected, path)
})

test('a long table answers as a short one does', () => {
  const more = Array.from({ length: 40 }, (_, n) => [`/p${n}${'q'.repeat(n)}/*`, `p${n}`] as const)
  const table = compilePathTable([...more, ...PATTERNS], 'rest')
  for (const [path, expected] of CASES) assert.equal(choosePath(table, path), expected, path)
  assert.equal(choosePath(table, '/p2qq/x'), 'p2')
})
