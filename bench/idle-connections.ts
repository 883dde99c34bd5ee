/**
 * What an idle kept connection costs a worker in memory: it has made a request, and waits.
 *
 *     node bench/idle-connections.ts [--connections 10000] [--cookie 30]
 *
 * Proportional set size of the worker, before and after, divided by their number. The kernel's part of a connection
 * is not in it, neither here nor for others. `--cookie` is the length of the cookie that each one sends. Both ends are on loopback, in batches of 200.
 */
import { readFileSync, rmSync, writeFileSync, mkdtempSync, readdirSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { processTree } from './peers/cpu.ts'

const { values } = parseArgs({
  options: { connections: { type: 'string', default: '10000' }, cookie: { type: 'string', default: '30' } },
})
const count = Number(values.connections)
const cookie = 'c'.repeat(Number(values.cookie))
const BATCH = 200
const ORLA = fileURLToPath(new URL('../bin/orla', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'orla-idle-'))

const command = (pid: number): string => readFileSync(`/proc/${pid}/cmdline`, 'latin1')
const pssKiB = (pid: number): number =>
  Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))![1])
const descriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length

const origin = createServer((_, response) => {
  response.writeHead(200, { 'cache-control': 'max-age=600' }).end('ok')
})
const sockets: Socket[] = []

/** Opens a connection, makes a request as a browser would, and leaves it open. */
function open(port: number, i: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () =>
      socket.write(
        `GET /small HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:${i}) Gecko/20100101\r\n` +
          'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: pt-BR,pt;q=0.8\r\n' +
          `Accept-Encoding: gzip, deflate, br\r\nCookie: session=${i}-${cookie}\r\nConnection: keep-alive\r\n\r\n`,
      ),
    )
    sockets.push(socket)
    socket.once('data', () => resolve())
    socket.on('error', reject)
  })
}

await new Promise<void>((resolve) => void origin.listen(0, '127.0.0.1', resolve))
writeFileSync(
  join(folder, 'orla.json'),
  JSON.stringify({
    edge: { listen: '127.0.0.1:0', workers: 1, limits: { idle: '10m' } },
    control: { listen: '127.0.0.1:0', token: 'bench' },
    store: { path: join(folder, 'data') },
    sites: [{ origin: `http://127.0.0.1:${(origin.address() as AddressInfo).port}`, cache: { ram: '64mb' } }],
  }),
)
const edge = spawn(ORLA, ['start', '--config', join(folder, 'orla.json')], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
try {
  const port = await new Promise<number>((resolve) =>
    edge.stdout.on('data', (text) => {
      const line = /ready edge=\S+:(\d+)/.exec(String(text))
      if (line) resolve(Number(line[1]))
    }),
  )
  const worker = processTree(edge.pid!).find((pid) => /worker/.test(command(pid)))!
  // What the first thousand requests compile and warm up is not a connection's.
  for (let i = 0; i < 1000; i += BATCH)
    await Promise.all(Array.from({ length: BATCH }, (_, j) => open(port, i + j)))
  for (const socket of sockets.splice(0)) socket.destroy()
  await sleep(2000)
  const before = pssKiB(worker)
  for (let i = 0; i < count; i += BATCH)
    await Promise.all(Array.from({ length: BATCH }, (_, j) => open(port, i + j)))
  await sleep(2000)
  const opened = pssKiB(worker)
  await sleep(10_000)
  const rested = pssKiB(worker)
  const each = (kib: number): string => `${((kib - before) / count).toFixed(2)} KiB each`
  console.log(
    `${count} idle connections (${descriptors(worker)} descriptors): worker ${(before / 1024).toFixed(0)} MiB before, ` +
      `${(opened / 1024).toFixed(0)} MiB with them (${each(opened)}), ${(rested / 1024).toFixed(0)} MiB ten seconds later (${each(rested)})`,
  )
} finally {
  for (const socket of sockets) socket.destroy()
  edge.kill('SIGTERM')
  await sleep(1500)
  edge.kill('SIGKILL')
  origin.close()
  origin.closeAllConnections()
  rmSync(folder, { recursive: true, force: true })
}
