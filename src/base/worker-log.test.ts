import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WorkerLog, type OperatorLines } from './worker-log.ts'

test('lines of one moment go together, and beyond a bound they are counted', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const sent: OperatorLines[] = []
  const log = new WorkerLog((lines) => sent.push(lines))
  for (let i = 0; i < 60; i += 1) log.warn(`line ${i}`)
  assert.equal(sent.length, 0)
  t.mock.timers.tick(250)
  assert.equal(sent.length, 1)
  assert.equal(sent[0]!.warnings.length, 50)
  assert.equal(sent[0]!.dropped, 10)
  log.warn('later')
  log.flush()
  assert.deepEqual(sent[1], { warnings: ['later'], dropped: 0 })
  t.mock.timers.tick(1000)
  assert.equal(sent.length, 2)
})
