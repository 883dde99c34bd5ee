/** Choices for clients: what the quick way gives is what the filters say, and how many bits it hangs on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseIp } from '../base/ip-address.ts'
import { type IpPrefix, readPrefix } from '../base/ip-prefix.ts'
import { mmdbWith } from '../../test/harness/mmdb.ts'
import { Geography, readGeoSource } from './geography.ts'
import type { EdgeNode, NodeState } from './node.ts'
import { FILTERS_DEFAULT, parsePipeline, type Pipeline } from './pipeline.ts'
import { node, state } from './steer.support.ts'
import { Steering } from './steering.ts'

const city = (country: string, continent: string, latitude: number, longitude: number) => ({
  country: { iso_code: country },
  continent: { code: continent },
  location: { latitude, longitude },
})
const CITIES = mmdbWith(
  [
    ['200.0.0.0/8', city('BR', 'SA', -23.5, -46.6)],
    ['201.0.0.0/9', city('BR', 'SA', -22.9, -43.2)],
    ['81.0.0.0/8', city('GB', 'EU', 51.5, -0.1)],
    ['2001:db8::/32', city('BR', 'SA', -23.5, -46.6)],
  ],
  'GeoLite2-City',
)
const NODES = [
  node('gru1', { location: { latitude: -23.5, longitude: -46.6 }, country: 'BR' }),
  node('gru2', { location: { latitude: -23.5, longitude: -46.6 }, country: 'BR' }),
  node('gig1', { location: { latitude: -22.9, longitude: -43.2 }, country: 'BR' }),
  node('lhr1', { location: { latitude: 51.5, longitude: -0.1 }, country: 'GB' }),
]

function steeringOf(
  filters: readonly string[] = FILTERS_DEFAULT,
  more: {
    readonly nodes?: readonly EdgeNode[]
    readonly states?: Readonly<Record<string, Partial<NodeState>>>
    readonly allDown?: 'open' | 'closed'
  } = {},
) {
  const { nodes = NODES, allDown = 'open' } = more
  const pipeline = parsePipeline(filters) as Pipeline
  const overrides = [{ prefix: readPrefix('200.7.7.0/24') as IpPrefix, node: 'lhr1' }]
  const geography = Geography.compile({ sources: [readGeoSource(CITIES)], overrides }, nodes, pipeline.stepKm)
  const health = {
    version: 1,
    states: nodes.map(({ name }) => state(more.states?.[name])),
  }
  const steering = new Steering<string>({
    nodes,
    pipeline,
    geography,
    bucketBits: { v4: 24, v6: 56 },
    allDown,
    health,
    make: (chosen, kind) => (chosen.length === 0 ? kind : chosen.map(({ name }) => name).join(' ')),
  })
  const set = (name: string, change: Partial<NodeState>) => {
    health.states[nodes.findIndex((one) => one.name === name)] = state(change)
    health.version += 1
  }
  const chosen = (ip: string) => steering.choose(parseIp(ip)!)
  const scope = (ip: string) => {
    chosen(ip)
    return steering.scope(parseIp(ip)!)
  }
  return { steering, set, chosen, scope }
}

test('clients go to the nearest node, and on to the next one while that is down', () => {
  const { chosen, set } = steeringOf()
  assert.equal(chosen('201.1.1.1'), 'gig1')
  assert.equal(chosen('81.1.1.1'), 'lhr1')
  assert.equal(chosen('200.7.7.7'), 'lhr1')
  assert.match(chosen('200.1.1.1'), /^gru[12]$/)
  assert.match(chosen('2001:db8::1'), /^gru[12]$/)
  set('gig1', { state: 'down' })
  assert.match(chosen('201.1.1.1'), /^gru[12]$/)
  set('gig1', {})
  assert.equal(chosen('201.1.1.1'), 'gig1')
})

test('a node that drains gets clients where no other one is up alone', () => {
  const { chosen, set } = steeringOf()
  set('gig1', { state: 'drain' })
  assert.match(chosen('201.1.1.1'), /^gru[12]$/)
  for (const name of ['gru1', 'gru2', 'lhr1']) set(name, { state: 'down' })
  assert.equal(chosen('201.1.1.1'), 'gig1')
})

test('where all are down, all are taken for up, or nobody is: as configured', () => {
  const states = Object.fromEntries(NODES.map(({ name }) => [name, { state: 'down' as const }]))
  assert.equal(steeringOf(undefined, { states }).chosen('201.1.1.1'), 'gig1')
  assert.equal(steeringOf(undefined, { states, allDown: 'closed' }).chosen('201.1.1.1'), 'all down, closed')
  const shut = { ...states, gig1: { state: 'down', isForced: true } } as const
  assert.match(steeringOf(undefined, { states: shut }).chosen('201.1.1.1'), /^gru[12]$/)
})

test('where fences let no node serve a client, nobody does, whoever is up', () => {
  const nodes = [node('gru1', { fence: [{ kind: 'country', code: 'BR' }] })]
  const { chosen } = steeringOf(undefined, { nodes })
  assert.equal(chosen('200.1.1.1'), 'gru1')
  assert.equal(chosen('81.1.1.1'), 'nobody')
  assert.equal(chosen('9.9.9.9'), 'nobody')
})

test('all addresses of a prefix get the same node, and prefixes get different ones', () => {
  const { chosen } = steeringOf()
  const seen = new Set<string>()
  for (let third = 0; third < 64; third++) {
    const one = chosen(`200.1.${third}.1`)
    assert.equal(chosen(`200.1.${third}.254`), one)
    seen.add(one)
  }
  assert.deepEqual([...seen].toSorted(), ['gru1', 'gru2'])
  assert.equal(chosen('2001:db8:0:1::1'), chosen('2001:db8:0:ff::1'))
})

test('the scope is the prefix that the choice hangs on', () => {
  const { scope } = steeringOf()
  // One node is nearest to all of them: the range of the table counts.
  assert.equal(scope('201.1.1.1'), 9)
  assert.equal(scope('81.1.1.1'), 8)
  // Several are as near: the client's own prefix counts.
  assert.equal(scope('200.1.1.1'), 24)
  assert.equal(scope('200.7.7.7'), 24)
  assert.equal(scope('2001:db8::1'), 56)
  // Nobody knows where that is: far from everywhere, and any node may have it.
  assert.equal(scope('9.9.9.9'), 24)
  const { scope: nowhere } = steeringOf(['up', 'first', '1'])
  assert.equal(nowhere('9.9.9.9'), 0)
  assert.equal(nowhere('200.1.1.1'), 0)
})

test('what the quick way chooses is what the filters say one by one', () => {
  const nodes = [...NODES, node('far', { weight: 3 }), node('idle', { weight: 0 })]
  for (const filters of [
    FILTERS_DEFAULT,
    ['up', 'weight', 'first', '3'],
    ['up', 'nearest', 'first', '3', 'weight', 'first', '2'],
    ['up', 'load', 'nearest', '500', 'weight'],
    ['nearest'],
  ]) {
    const { steering, chosen, set } = steeringOf(filters, { nodes })
    const compare = () => {
      for (let index = 0; index < 50; index++)
        for (const ip of [`200.1.${index}.9`, `201.${index}.1.1`, `9.9.${index}.9`, `2001:db8:${index}::1`]) {
          const explained = steering.explain({ ...parseIp(ip)!, length: ip.includes(':') ? 128 : 32 })
          assert.equal(chosen(ip), explained.chosen.join(' '), `${filters.join(' ')} ${ip}`)
        }
    }
    compare()
    set('gru1', { state: 'down' })
    set('lhr1', { isOverloaded: true, load: 0.9 })
    compare()
  }
})

test('an explanation names the place, each filter, and whom it removed and why', () => {
  const { steering, set } = steeringOf()
  set('gig1', { state: 'down', why: 'its probe was refused' })
  const told = steering.explain(readPrefix('201.1.0.0/16') as IpPrefix)
  assert.deepEqual(told.place, { country: 'BR', continent: 'SA', latitude: -22.9, longitude: -43.2 })
  assert.deepEqual(told.steps[0], {
    filter: 'up',
    kept: ['gru1', 'gru2', 'lhr1'],
    removed: [{ node: 'gig1', why: 'its probe was refused' }],
  })
  assert.deepEqual(
    told.steps.map(({ filter }) => filter),
    ['up', 'geofence', 'priority', 'nearest', 'load', 'weight', 'first 1'],
  )
  assert.equal(told.outcome, 'chosen')
  assert.equal(told.client, '201.1.0.0/16')
  assert.deepEqual(told.chosen, told.steps.at(-1)!.kept)
})

test('filters that are none, or stand where they mean nothing, are refused', () => {
  for (const [text, message] of [
    ['up close', /unknown filter 'close'; expected some of up, geofence/],
    ['up up', /filter 'up' stands twice/],
    ['weight nearest', /stands behind 'weight'/],
    ['first', /wants to know how many/],
    ['first 99', /expected a number from 1 to 16/],
    ['up 3', /takes no number/],
    ['nearest 0', /at least 1 km/],
  ] as const)
    assert.match(parsePipeline(text.split(' ')) as string, message)
})
