import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { machineNow } from './machine-clock.ts'

test('two processes read the same clock', () => {
  const program = `import { machineNow } from ${JSON.stringify(fileURLToPath(new URL('machine-clock.ts', import.meta.url)))}
process.stdout.write(String(machineNow()))`
  const before = machineNow()
  const child = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })
  const after = machineNow()
  const there = Number(child.stdout)
  assert.ok(there > before && there <= after + 1, `${before} ${there} ${after} ${child.stderr}`)
})

test('it counts in whole milliseconds and goes on', () => {
  const first = machineNow()
  assert.ok(Number.isInteger(first))
  let next = first
  while (next === first) next = machineNow()
  assert.ok(next > first)
})
