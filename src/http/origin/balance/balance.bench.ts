/**
 * What it costs to choose an endpoint: `node src/http/origin/balance/balance.bench.ts`. The floor is the first of a list.
 *
 * A proxied request takes about 20 µs of CPU; a choice among ten must not show beside it.
 */
import { consistentHash, hashText } from './consistent-hash.ts'
import type { Candidate, Choose } from './balancer.ts'
import { leastConnections } from './least-connections.ts'
import { randomTwo } from './random-two.ts'
import { roundRobin } from './round-robin.ts'

const ROUNDS = 1_000_000

const candidates = (count: number, isEven: boolean): Candidate[] =>
  Array.from({ length: count }, (_, i) => ({
    share: isEven ? 1 : 1 + (i % 3),
    active: i % 5,
    seed: hashText(`http://10.0.0.${i}:9000`),
    credit: 0,
  }))

const request = { method: 'GET', target: '/videos/1234/segment-17.ts', headers: [], body: 'none' } as const

function nanoseconds(choose: Choose, count: number, isEven: boolean): number {
  const members = candidates(count, isEven)
  let sum = 0
  const run = (): void => {
    for (let i = 0; i < ROUNDS; i += 1) sum += choose(members, isEven, request).seed
  }
  run()
  const before = process.threadCpuUsage()
  run()
  const { user, system } = process.threadCpuUsage(before)
  if (sum === 0) throw new Error('nothing was chosen')
  return ((user + system) * 1000) / ROUNDS
}

const WAYS: Readonly<Record<string, Choose>> = {
  'the first (floor)': (members) => members[0]!,
  'round-robin': roundRobin,
  'least-connections': leastConnections(),
  'random-two': randomTwo(Math.random),
  'consistent-hash': consistentHash(({ target }) => target),
}

for (const [name, choose] of Object.entries(WAYS)) {
  for (const isEven of [true, false]) {
    const times = [2, 10, 50].map((count) => `${count}: ${nanoseconds(choose, count, isEven).toFixed(0)} ns`)
    console.log(`${name.padEnd(20)} ${isEven ? 'even ' : 'uneven'}  ${times.join('   ')}`)
  }
}
