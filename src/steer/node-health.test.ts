/** What is made of heartbeats, probes and hands: with a clock of the test. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DnsEdgeState } from '../contract/dns.ts'
import type { ProbeTarget } from './node.ts'
import { NodeHealth } from './node-health.ts'
import { node } from './steer.support.ts'
import { Threshold } from './threshold.ts'

const PROBE: ProbeTarget = {
  url: 'tcp://192.0.2.1:80',
  intervalMs: 1000,
  timeoutMs: 1000,
  rise: 2,
  fall: 3,
  statuses: [],
  host: undefined,
}

function healthOf(names: readonly string[] = ['a', 'b'], probe: ProbeTarget | undefined = undefined) {
  const clock = { ms: 1_000_000 }
  const changes: string[] = []
  const nodes = names.map((name) => node(name, { probe }))
  const options = {
    watermark: { high: 0.8, low: 0.7 },
    staleMs: 15_000,
    now: () => clock.ms,
    onChange: (changed: { name: string }, state: { state: string }) =>
      void changes.push(`${changed.name} ${state.state}`),
  }
  const health = new NodeHealth(nodes, options)
  const edge = (name: string, more: Partial<DnsEdgeState> = {}): DnsEdgeState => ({
    name,
    groups: [],
    isConnected: true,
    seenAt: clock.ms,
    load: 0.1,
    isDraining: false,
    ...more,
  })
  const stateOf = (name: string) => health.states[names.indexOf(name)]!
  return { health, clock, changes, edge, stateOf, options, nodes }
}

test('so many good signs in a row bring it up, so many bad ones take it down, and the first one decides', () => {
  const threshold = new Threshold(2, 3)
  assert.equal(threshold.isUp, undefined)
  const seen = [...'+--+---++-+++'].map((sign) => {
    threshold.note(sign === '+')
    return threshold.isUp === true ? 'u' : 'd'
  })
  assert.equal(seen.join(''), 'uuuuuudduuuuu')
  const bad = new Threshold(2, 3)
  bad.note(false)
  assert.equal(bad.isUp, false)
})

test('a node that nobody judges is up', () => {
  const { stateOf } = healthOf()
  assert.equal(stateOf('a').state, 'up')
  assert.equal(stateOf('a').why, 'nothing speaks against it')
})

test('probes take a node down and bring it up by their thresholds', () => {
  const { health, stateOf, changes } = healthOf(['a', 'b'], PROBE)
  assert.equal(health.isKnown, false)
  health.probed('a', true, '')
  health.probed('b', true, '')
  assert.equal(health.isKnown, true)
  const version = health.version
  for (const expected of ['up', 'up', 'down']) {
    health.probed('a', false, 'ECONNREFUSED')
    assert.equal(stateOf('a').state, expected)
  }
  assert.equal(stateOf('a').why, 'its probe failed: ECONNREFUSED')
  assert.equal(health.version, version + 1)
  for (const expected of ['down', 'up']) {
    health.probed('a', true, '')
    assert.equal(stateOf('a').state, expected)
  }
  assert.deepEqual(changes, ['a down', 'a up'])
  assert.equal(stateOf('b').state, 'up')
})

test('heartbeats take a node down by their absence, and say that it drains', () => {
  const { health, clock, edge, stateOf } = healthOf()
  health.heard([edge('a'), edge('b')])
  assert.equal(stateOf('a').why, 'its heartbeats come')
  const seen = [edge('a'), edge('b', { isDraining: true })]
  health.heard(seen)
  assert.equal(stateOf('b').state, 'drain')
  clock.ms += 15_000
  health.heard(seen)
  assert.equal(stateOf('a').state, 'up')
  clock.ms += 1000
  health.heard(seen)
  assert.equal(stateOf('a').state, 'down')
  assert.equal(stateOf('a').why, 'no heartbeat for 16 s')
  health.heard([edge('a', { isConnected: false })])
  assert.equal(stateOf('a').why, 'its connection to the control plane is gone')
  // One that the control plane does not know of is judged by probes alone.
  assert.equal(stateOf('b').state, 'up')
})

test('a load over the watermark counts until it is well below, and changes nothing else', () => {
  const { health, edge, stateOf } = healthOf()
  const isOverloadedAt = (load: number) => {
    health.heard([edge('a', { load })])
    return stateOf('a').isOverloaded
  }
  assert.equal(isOverloadedAt(0.79), false)
  const { version } = health
  assert.equal(isOverloadedAt(0.5), false)
  assert.equal(health.version, version)
  assert.equal(isOverloadedAt(0.8), true)
  assert.equal(isOverloadedAt(0.75), true)
  assert.equal(health.version, version + 1)
  assert.equal(isOverloadedAt(0.7), false)
  assert.equal(health.version, version + 2)
})

test('what is set by hand holds against probes and heartbeats until it is taken back', () => {
  const { health, edge, stateOf } = healthOf()
  assert.equal(health.force('a', 'down'), true)
  health.heard([edge('a')])
  assert.deepEqual([stateOf('a').state, stateOf('a').isForced], ['down', true])
  health.force('a', 'up')
  health.heard([edge('a', { isConnected: false })])
  assert.equal(stateOf('a').state, 'up')
  health.force('a', undefined)
  assert.equal(stateOf('a').state, 'down')
  assert.equal(health.force('nobody', 'down'), false)
})

test('nodes that are read again keep what is known of them', () => {
  const { health, options, nodes } = healthOf(['a', 'b'], PROBE)
  health.probed('a', false, 'ETIMEDOUT')
  health.force('b', 'drain')
  const other = { ...PROBE, url: 'tcp://192.0.2.9:80' }
  const again = new NodeHealth([node('new'), nodes[1]!, { ...nodes[0]!, weight: 5 }], options, health)
  assert.deepEqual(
    again.states.map(({ state }) => state),
    ['up', 'drain', 'down'],
  )
  const elsewhere = new NodeHealth([{ ...nodes[0]!, probe: other }], options, health)
  assert.equal(elsewhere.states[0]!.state, 'up')
})
