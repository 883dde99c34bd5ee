/** Each filter alone: whom it keeps, in which order, whom it removes and why. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Leniency } from './filter.ts'
import { parseFenceWord } from '../node.ts'
import { filtered, node, situation } from '../steer.support.ts'
import { first } from './first.ts'
import { geofence } from './geofence.ts'
import { load } from './load.ts'
import { nearest } from './nearest.ts'
import { priority } from './priority.ts'
import { up } from './up.ts'
import { weight } from './weight.ts'

test('up keeps those that are up, and others as far as leniency goes', () => {
  const nodes = ['well', 'ill', 'leaving', 'shut'].map((name) => node(name))
  const stateOf = {
    ill: { state: 'down', why: 'refused' },
    leaving: { state: 'drain', why: 'draining' },
    shut: { state: 'down', isForced: true, why: 'set down' },
  } as const
  const kept = (leniency: Leniency) => filtered(up, situation(nodes, { stateOf, leniency }))
  assert.deepEqual(kept('up'), {
    kept: 'well',
    removed: { ill: 'refused', leaving: 'draining', shut: 'set down' },
  })
  assert.deepEqual(kept('drain'), { kept: 'well leaving', removed: { ill: 'refused', shut: 'set down' } })
  assert.deepEqual(kept('open'), { kept: 'well ill leaving', removed: { shut: 'set down' } })
  assert.equal(kept('any').kept, 'well ill leaving shut')
})

test('geofence removes nodes that serve other countries, continents or networks alone', () => {
  const fence = (...words: string[]) => words.map((word) => parseFenceWord(word)!)
  const nodes = [
    node('all'),
    node('brazil', { fence: fence('BR', 'ar') }),
    node('south', { fence: fence('continent:SA') }),
    node('network', { fence: fence('AS64500', 'US') }),
  ]
  const kept = (place: object) => filtered(geofence, situation(nodes, { place })).kept
  assert.equal(kept({ country: 'BR', continent: 'SA' }), 'all brazil south')
  assert.equal(kept({ country: 'CL', continent: 'SA', asn: 64_500 }), 'all south network')
  assert.equal(kept({ country: 'US', continent: 'NA' }), 'all network')
  assert.equal(kept({ country: 'SA', continent: 'AS' }), 'all')
  assert.deepEqual(filtered(geofence, situation(nodes)), {
    kept: 'all',
    removed: {
      brazil: 'serves BR, AR alone',
      south: 'serves continent:SA alone',
      network: 'serves AS64500, US alone',
    },
  })
})

test('words of a fence are countries, continents or networks', () => {
  assert.deepEqual(parseFenceWord('br'), { kind: 'country', code: 'BR' })
  assert.deepEqual(parseFenceWord('continent:na'), { kind: 'continent', code: 'NA' })
  assert.deepEqual(parseFenceWord('as64500'), { kind: 'asn', number: 64_500 })
  for (const wrong of ['BRA', 'continent:XX', 'ASX', 'AS4294967296', '64500', ''])
    assert.equal(parseFenceWord(wrong), undefined, wrong)
})

test('priority puts lower numbers first', () => {
  const nodes = [node('spare', { priority: 2 }), node('one'), node('two')]
  assert.equal(filtered(priority, situation(nodes)).kept, 'one two | spare')
})

const SAO_PAULO = { latitude: -23.55, longitude: -46.63 }
const RIO = { latitude: -22.91, longitude: -43.17 }
const BOGOTA = { latitude: 4.71, longitude: -74.07 }
const LONDON = { latitude: 51.51, longitude: -0.13 }

test('nearest goes by prefix, then network, then country, then distance', () => {
  const nodes = [
    node('gru', { location: SAO_PAULO, country: 'BR', continent: 'SA' }),
    node('gig', { location: RIO, country: 'BR', continent: 'SA' }),
    node('bog', { location: BOGOTA, country: 'CO', continent: 'SA' }),
    node('lhr', { location: LONDON, country: 'GB', continent: 'EU', asns: [64_500] }),
  ]
  const kept = (place: object) => filtered(nearest(), situation(nodes, { place })).kept
  assert.equal(kept({ location: RIO, country: 'BR' }), 'gig | gru | bog | lhr')
  // Manaus is nearer to Bogotá, but of Brazil.
  const manaus = { latitude: -3.12, longitude: -60.02 }
  assert.equal(kept({ location: manaus, country: 'BR' }), 'gru | gig | bog | lhr')
  assert.equal(kept({ location: manaus, country: 'VE' }), 'bog | gru | gig | lhr')
  assert.equal(kept({ location: RIO, country: 'BR', asn: 64_500 }), 'lhr | gig | gru | bog')
  assert.equal(kept({ location: RIO, country: 'BR', asn: 64_500, override: 'bog' }), 'bog | lhr | gig | gru')
  // Without coordinates the continent counts; without anything all are as near.
  assert.equal(kept({ country: 'AR', continent: 'SA' }), 'gru gig bog | lhr')
  assert.equal(kept({}), 'gru gig bog lhr')
})

test('nearest takes nodes within one step of distance for as near', () => {
  const nodes = [
    node('gru1', { location: SAO_PAULO }),
    node('gru2', { location: { latitude: -23.43, longitude: -46.47 } }),
    node('gig', { location: RIO }),
  ]
  const place = { location: SAO_PAULO }
  assert.equal(filtered(nearest(50), situation(nodes, { place })).kept, 'gru1 gru2 | gig')
  assert.equal(filtered(nearest(1), situation(nodes, { place })).kept, 'gru1 | gru2 | gig')
  assert.equal(filtered(nearest(500), situation(nodes, { place })).kept, 'gru1 gru2 gig')
})

test('load removes nodes over the watermark, but not all of them', () => {
  const nodes = [node('busy'), node('idle')]
  const busy = { load: 0.93, isOverloaded: true }
  assert.deepEqual(filtered(load, situation(nodes, { stateOf: { busy } })), {
    kept: 'idle',
    removed: { busy: 'its load of 0.93 is over the watermark' },
  })
  assert.equal(filtered(load, situation(nodes, { stateOf: { busy, idle: busy } })).kept, 'busy idle')
})

test('weight orders within tiers alone, the same way for the same prefix, and leaves out weights of 0', () => {
  const nodes = [node('a'), node('b'), node('c'), node('idle', { weight: 0 })]
  const tiers = [
    { node: 0, tier: 0 },
    { node: 1, tier: 1 },
    { node: 2, tier: 1 },
    { node: 3, tier: 1 },
  ]
  const seen = new Set<string>()
  for (let bucket = 0; bucket < 64; bucket++) {
    const result = filtered(weight, situation(nodes, { bucket }), tiers)
    assert.deepEqual(result, filtered(weight, situation(nodes, { bucket }), tiers))
    assert.deepEqual(result.removed, { idle: 'its weight is 0' })
    seen.add(result.kept)
  }
  assert.deepEqual([...seen].toSorted(), ['a | b | c', 'a | c | b'])
  const alone = [node('idle', { weight: 0 })]
  assert.equal(filtered(weight, situation(alone)).kept, 'idle')
})

test('first keeps as many as it is told', () => {
  const nodes = ['a', 'b', 'c'].map((name) => node(name))
  assert.deepEqual(filtered(first(2), situation(nodes)), { kept: 'a b', removed: { c: '2 are before it' } })
  assert.equal(filtered(first(5), situation(nodes)).kept, 'a b c')
})
