/**
 * What a `bodyFilter` costs on a cached playlist of 64 KiB, all processes of the node summed.
 *
 *     node bench/body-filter.ts [--rounds 8] [--seconds 1] [--connections 16]
 *
 * The same hit without a unit is the floor: what is above it is the filter. A line is appended to a text, in the sandbox and inline,
 * and bytes are kept or returned. The cases alternate; of each the lowest round counts, since whatever else runs on the machine
 * only adds to it.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { measureLoad } from './peers/cpu.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '8' },
    seconds: { type: 'string', default: '1' },
    connections: { type: 'string', default: '16' },
  },
})
const ORLA = fileURLToPath(new URL('../bin/orla', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'orla-filter-'))
const LINE = '#EXTINF:6.000,\nsegment-000001.ts\n'
const playlist = LINE.repeat(Math.floor(65_536 / LINE.length)).padEnd(65_536, '#')

const text = (isolation: string) =>
  `isolation: '${isolation}', chunks: 'text', bodyFilter: (chunk, last) => last ? chunk + '#COPYRIGHT: mysite.com\\n' : undefined`
/** Each has a path of its own. */
const CASES: readonly (readonly [name: string, unit: string | undefined])[] = [
  ['no unit', undefined],
  ['text, sandbox', text('process')],
  ['text, inline', text('inline')],
  ['bytes kept, sandbox', 'bodyFilter(chunk) {}'],
  ['bytes returned, sandbox', 'bodyFilter: (chunk) => chunk'],
]

const origin = createServer((_, response) => {
  response.writeHead(200, {
    'cache-control': 'max-age=600',
    'content-type': 'application/vnd.apple.mpegurl',
    'content-length': playlist.length,
  })
  response.end(playlist)
})
await new Promise<void>((resolve) => void origin.listen(0, '127.0.0.1', resolve))
writeFileSync(
  join(folder, 'orla.json'),
  JSON.stringify({
    edge: { listen: '127.0.0.1:0', workers: 1 },
    control: { listen: '127.0.0.1:0', token: 'bench' },
    store: { path: join(folder, 'data') },
    sites: [{ origin: `http://127.0.0.1:${(origin.address() as AddressInfo).port}`, cache: {} }],
  }),
)
const node = spawn(ORLA, ['start', '--config', join(folder, 'orla.json')], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
try {
  const ready = await new Promise<string>((resolve) =>
    node.stdout.on('data', (data) => resolve(String(data))),
  )
  const url = /edge=(\S+)/.exec(ready)![1]!
  const control = /control=(\S+)/.exec(ready)![1]!
  for (const [index, [, unit]] of CASES.entries()) {
    if (unit === undefined) continue
    const source = `export default { paths: ['/${index}/*'], ${unit} }`
    const deployed = await fetch(`${control}/v1/units/filter-${index}`, {
      method: 'PUT',
      headers: { authorization: 'Bearer bench', 'content-type': 'application/json' },
      body: JSON.stringify({ source }),
    })
    if (!deployed.ok) throw new Error(await deployed.text())
  }
  const connections = Number(values.connections)
  const lowest = CASES.map(() => Infinity)
  const failed = CASES.map(() => 0)
  // The first round makes everybody warm.
  for (let round = 0; round <= Number(values.rounds); round += 1) {
    for (const index of CASES.keys()) {
      const load = await measureLoad(`${url}/${index}/a.m3u8`, node.pid!, connections, Number(values.seconds))
      failed[index]! += load.failed
      if (round > 0) lowest[index] = Math.min(lowest[index]!, load.cpuUsPerRequest)
    }
  }
  for (const [index, [name]] of CASES.entries()) {
    const us = lowest[index]!
    const above = index === 0 ? '' : `, ${(us - lowest[0]!).toFixed(1)} above the floor`
    console.log(`${name.padEnd(24)} ${us.toFixed(1)} µs a request${above}, ${failed[index]} failed`)
  }
} finally {
  node.kill('SIGTERM')
  origin.close()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}
