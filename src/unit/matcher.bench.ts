/**
 * What it costs to ask which units a request meets. Run: `node src/unit/matcher.bench.ts`. The floor is no unit at all.
 *
 * Host, path and method are cut out of a fresh text for each call, as the parser does: a string that was seen before has
 * its hash already, and would flatter the tables.
 */
import { DEFAULT_MANIFEST, PHASE_BITS, type Manifest, type UnitVersion } from '../contract/unit.ts'
import { compileUnits } from './matcher.ts'

const unit = (name: string, manifest: Partial<Manifest>): UnitVersion => ({
  name,
  version: 1,
  code: '',
  sourceMap: '',
  phases: PHASE_BITS.access,
  manifest: { ...DEFAULT_MANIFEST, ...manifest },
  env: {},
})

const SETS: Readonly<Record<string, readonly UnitVersion[]>> = {
  'no unit': [],
  'one unit for all': [unit('a', {})],
  'four units, hosts, prefixes': [
    unit('a', { hosts: ['tv.example.com'], paths: ['/hls/*'] }),
    unit('b', { hosts: ['tv.example.com'] }),
    unit('c', { paths: ['/hls/*', '/dash/*'], methods: ['GET', 'HEAD'] }),
    unit('d', { paths: ['/login'] }),
  ],
  'wildcard host': [unit('a', { hosts: ['*.example.com'], paths: ['/hls/*'] })],
  'a thousand units': Array.from({ length: 1000 }, (_, n) =>
    unit(`u${n}`, { hosts: [`h${n}.example.com`, 'tv.example.com'], paths: [`/p${n}/*`, `/hls/${n}/*`] }),
  ),
}

const CALLS = 500_000
const HEADS = Array.from({ length: 512 }, (_, n) => `GET tv.example.com /hls/${n}/colorbar.m3u8`)

for (const [name, units] of Object.entries(SETS)) {
  const { match } = compileUnits({ epoch: 1, enabled: true, units, lastGood: {} }, { name: 'n', groups: [] })
  let found = 0
  const pass = (ask: boolean) => {
    const start = process.cpuUsage()
    for (let i = 0; i < CALLS; i++) {
      const head = Buffer.from(HEADS[i & 511]!).toString('latin1')
      const [method, host, path] = [head.slice(0, 3), head.slice(4, 18), head.slice(19)]
      found += ask ? match(host, path, method).units.length : path.length
    }
    return (process.cpuUsage(start).user * 1000) / CALLS
  }
  pass(true)
  const [floor, all] = [pass(false), pass(true)]
  console.log(
    `${name.padEnd(30)} ${(all - floor).toFixed(0).padStart(5)} ns a request (${found > 0 ? 'ran' : ''})`,
  )
}
