import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkConfig } from '../config/check.ts'
import { changedSettings, refuseRestart } from './config-file.ts'

function config(listen: unknown, more: object = {}) {
  const result = checkConfig({ edge: { listen, ...more } })
  return result.kind === 'config' ? result.config : assert.fail(JSON.stringify(result.problems))
}

const TWO = ['127.0.0.1:8080', { address: '127.0.0.1:8082', h2c: true }]

test('of listeners, the one that came or went is told, and none of the others', () => {
  const now = config(TWO)
  const more = config([...TWO, '127.0.0.1:8083'])
  assert.throws(() => refuseRestart(now, more), {
    code: 'config-restart',
    message:
      /^this needs a restart: edge\.listen\[2\] is not set, and would be \{"address":"127\.0\.0\.1:8083",[^[]*$/,
  })
  assert.throws(() => refuseRestart(more, now), /: edge\.listen\[2\] is \{[^[]*\}, and would be not set$/)
})

test('what goes live over an address is told by its path', () => {
  const next = config([TWO[0], { address: '127.0.0.1:8082', h2c: false }], { debugToken: 'x' })
  refuseRestart(config(TWO), next)
  assert.deepEqual(changedSettings(config(TWO), next), ['edge.listen[1].h2c', 'edge.debugToken'])
})
