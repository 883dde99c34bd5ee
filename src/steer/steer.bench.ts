/**
 * What a choice costs with 20 nodes and 100,000 prefixes: making the tables, their memory, and a look-up in them, in CPU time.
 *
 *     node --expose-gc src/steer/steer.bench.ts
 */
import { mmdbWith, type MmdbData } from '../../test/harness/mmdb.ts'
import type { IpAddress } from '../base/ip-address.ts'
import { Mmdb } from '../wire/mmdb.ts'
import { Geography, readGeoSource } from './geography.ts'
import { FILTERS_DEFAULT, parsePipeline, type Pipeline } from './pipeline.ts'
import { node, state } from './steer.support.ts'
import { Steering } from './steering.ts'

const PREFIXES = 100_000
const NODES = 20
const PLACES = 2000
const LOOKUPS = 2_000_000

let seed = 42
const roll = (): number => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed / 2 ** 32
}
const coordinates = () => ({ latitude: roll() * 120 - 60, longitude: roll() * 360 - 180 })
const places: MmdbData[] = Array.from({ length: PLACES }, (_, index) => ({
  country: { iso_code: `${String.fromCharCode(65 + (index % 26))}X` },
  location: coordinates(),
}))
const networks = Array.from({ length: PREFIXES }, (_, index) => {
  const word = 0x0100_0000 + index * 0x8000
  return [
    `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.0/17`,
    places[Math.floor(roll() * PLACES)]!,
  ] as const
})
const bytes = mmdbWith(networks, 'GeoLite2-City')
const nodes = Array.from({ length: NODES }, (_, index) =>
  node(`node${index}`, { location: coordinates(), weight: 1 + (index % 3) }),
)

const cpuMs = (since?: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1000
}
const heap = (): number => {
  globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const before = heap()
let start = process.cpuUsage()
const source = readGeoSource(bytes)
console.log(`walk of ${PREFIXES} prefixes: ${cpuMs(start).toFixed(0)} ms`)

for (const [title, filters] of [
  ['nearest of all', FILTERS_DEFAULT],
  ['by weight alone', ['up', 'weight', 'first', '2']],
] as const) {
  const pipeline = parsePipeline(filters) as Pipeline
  start = process.cpuUsage()
  const geography = Geography.compile({ sources: [source], overrides: [] }, nodes, pipeline.stepKm)
  const compiledMs = cpuMs(start)
  const steering = new Steering<number>({
    nodes,
    pipeline,
    geography,
    bucketBits: { v4: 24, v6: 56 },
    allDown: 'open',
    health: { version: 1, states: nodes.map(() => state()) },
    make: (chosen) => chosen.length,
  })
  const clients: IpAddress[] = Array.from({ length: 65_536 }, () => ({
    family: 4,
    words: [0, 0, 0, Math.floor(0x0100_0000 + roll() * PREFIXES * 0x8000)],
  }))
  const timed = (each: (client: IpAddress) => void): number => {
    for (const client of clients) each(client)
    const since = process.cpuUsage()
    for (let asked = 0; asked < LOOKUPS; asked++) each(clients[asked & 0xffff]!)
    return (cpuMs(since) * 1e6) / LOOKUPS
  }
  const chooseNs = timed((client) => void steering.choose(client))
  const scopeNs = timed((client) => {
    steering.choose(client)
    steering.scope(client)
  })
  console.log(
    `${title}: compiled in ${compiledMs.toFixed(0)} ms, ${geography.v4.count} ranges, ${geography.classes.length} classes; ` +
      `${chooseNs.toFixed(0)} ns a choice, ${scopeNs.toFixed(0)} ns with its scope`,
  )
}
console.log(`memory of all of it: ${((heap() - before) / 2 ** 20).toFixed(1)} MiB`)
const table = new Mmdb(bytes)
start = process.cpuUsage()
for (let asked = 0; asked < 100_000; asked++)
  table.find({ family: 4, words: [0, 0, 0, Math.floor(0x0100_0000 + roll() * PREFIXES * 0x8000)] })
console.log(`for scale, a look-up in the file: ${((cpuMs(start) * 1e6) / 100_000).toFixed(0)} ns`)
