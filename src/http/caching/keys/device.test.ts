import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deviceOf, type Device } from './device.ts'

const AGENTS: readonly (readonly [Device, string])[] = [
  [
    'phone',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile/15E148 Safari/604.1',
  ],
  [
    'phone',
    'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Mobile Safari/537.36',
  ],
  ['phone', 'Mozilla/5.0 (Android 15; Mobile; rv:139.0) Gecko/139.0 Firefox/139.0'],
  ['phone', 'Opera/9.80 (J2ME/MIDP; Opera Mini/9.80) Presto/2.8'],
  [
    'tablet',
    'Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15 Version/12.1.2 Mobile/15E148 Safari/604.1',
  ],
  ['tablet', 'Mozilla/5.0 (Linux; Android 14; SM-X710) AppleWebKit/537.36 Chrome/137.0.0.0 Safari/537.36'],
  ['tablet', 'Mozilla/5.0 (Android 15; Tablet; rv:139.0) Gecko/139.0 Firefox/139.0'],
  [
    'tablet',
    'Mozilla/5.0 (Linux; Android 11; KFTRWI) AppleWebKit/537.36 Silk/120.4.1 like Chrome/120.0 Safari/537.36',
  ],
  ['desktop', 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/137.0.0.0 Safari/537.36'],
  [
    'desktop',
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.5 Safari/605.1.15',
  ],
  ['desktop', 'curl/8.14.1'],
  ['desktop', ''],
]

test('a User-Agent tells the class of the device', () => {
  for (const [device, agent] of AGENTS) {
    assert.equal(deviceOf(['user-agent', agent]), device, agent)
    assert.equal(deviceOf(['user-agent', agent]), device, 'the second time as well')
  }
  assert.equal(deviceOf([]), 'desktop')
})

test('a client hint makes a phone of what is no tablet', () => {
  const [windows, tablet] = [AGENTS[8]![1], AGENTS[5]![1]]
  assert.equal(deviceOf(['user-agent', windows, 'sec-ch-ua-mobile', '?1']), 'phone')
  assert.equal(deviceOf(['user-agent', windows, 'sec-ch-ua-mobile', '?0']), 'desktop')
  assert.equal(deviceOf(['user-agent', tablet, 'sec-ch-ua-mobile', '?1']), 'tablet')
})

test('a User-Agent of any length is looked at in no time', () => {
  const agent = 'android silk '.repeat(100_000)
  const began = process.cpuUsage()
  deviceOf(['user-agent', agent])
  const { user } = process.cpuUsage(began)
  assert.ok(user < 100_000, `${user} µs`)
})
