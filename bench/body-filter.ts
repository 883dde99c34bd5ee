/**
 * What a `bodyFilter` costs on a cached playlist of 64 KiB, all processes of the node summed.
 *
 *     node bench/body-filter.ts [--seconds 3] [--connections 16]
 *
 * The same hit without a unit is the floor: what is above it is the filter. A line is appended to a text, in the sandbox and inline,
 * and to bytes.
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
  options: { seconds: { type: 'string', default: '3' }, connections: { type: 'string', default: '16' } },
})
const ORLA = fileURLToPath(new URL('../bin/orla', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'orla-filter-'))
const LINE = '#EXTINF:6.000,\nsegment-000001.ts\n'
const playlist = LINE.repeat(Math.floor(65_536 / LINE.length)).padEnd(65_536, '#')

const text = (isolation: string) =>
  `export default { isolation: '${isolation}', chunks: 'text', bodyFilter: (chunk, last) => last ? chunk + '#COPYRIGHT: mysite.com\\n' : undefined }`
const CASES: readonly (readonly [name: string, unit: string | undefined])[] = [
  ['no unit', undefined],
  ['text, sandbox', text('process')],
  ['text, inline', text('inline')],
  ['bytes kept, sandbox', 'export default { bodyFilter(chunk) {} }'],
  ['bytes returned, sandbox', 'export default { bodyFilter: (chunk) => chunk }'],
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
  const api = (method: string, body?: unknown) =>
    fetch(`${control}/v1/units/filter`, {
      method,
      headers: { authorization: 'Bearer bench', 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  for (const [name, source] of CASES) {
    if (source !== undefined) {
      const deployed = await api('PUT', { source })
      if (!deployed.ok) throw new Error(await deployed.text())
    }
    await measureLoad(`${url}/a.m3u8`, node.pid!, Number(values.connections), 1)
    const load = await measureLoad(
      `${url}/a.m3u8`,
      node.pid!,
      Number(values.connections),
      Number(values.seconds),
    )
    console.log(`${name.padEnd(24)} ${load.cpuUsPerRequest.toFixed(1)} µs a request, ${load.failed} failed`)
  }
} finally {
  node.kill('SIGTERM')
  origin.close()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}
