/**
 * What a line of the access log costs: CPU time of the whole process a request, threads that write included.
 *
 *     node src/http/access-log/access-log.bench.ts [--rounds 7] [--lines 200000]
 *
 * The requests are what browsers send, from a thousand addresses; the file is real, on the disk of the folder for temporary files.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import * as v from 'valibot'
import { ConfigSchema, type ConfigInput } from '../../config/schema.ts'
import { HeadMemo, parseRequestHead } from '../../wire/http1/request-parser.ts'
import { NO_UNITS } from '../unit-plan.ts'
import { AccessLogs } from './access-log.ts'
import type { LoggedRequest } from './logged-request.ts'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '7' }, lines: { type: 'string', default: '200000' } },
})
const LINES = Number(values.lines)
/** What arrives in one turn of the event loop under load. */
const TURN = 64

const folder = mkdtempSync(join(tmpdir(), 'orla-access-log-'))
const limits = { headBytes: 32_768, targetBytes: 8192, headerCount: 100 }

/** Parsed heads, as the connection has them: their texts are parts of what was received. */
function requests(): LoggedRequest[] {
  return Array.from({ length: 1000 }, (_, i) => {
    const bytes = Buffer.from(
      `GET /hls/channel-${i % 40}/segment-${i}.ts?session=${i * 7919} HTTP/1.1\r\nHost: tv.example.org\r\n` +
        `User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:${100 + (i % 30)}.0) Gecko/20100101 Firefox/${100 + (i % 30)}.0\r\n` +
        'Accept: */*\r\nAccept-Language: pt-BR,pt;q=0.8\r\nReferer: https://tv.example.org/watch\r\n\r\n',
    )
    const parsed = parseRequestHead(bytes, 0, bytes.length, limits, new HeadMemo(), 0)
    if (parsed.kind !== 'head') throw new Error('the head of the bench is not valid')
    return {
      client: { address: `198.51.100.${i % 250}`, port: 40_000 + i, scheme: 'http' },
      connection: { socket: {} as Socket },
      head: parsed.head,
      answered: { status: 200, source: 'cache' },
      gone: false,
      bytesSent: 4000 + i,
      headBytes: 250,
      bytesReceived: bytes.length,
      plan: NO_UNITS,
      site: { name: 'tv.example.org' },
      upstream: '',
      timing: undefined,
      cacheResult: 'hit',
      finalFields: '',
    }
  })
}

const written = (logs: AccessLogs): number => Number(logs.samples()[0]?.value)

async function microsecondsALine(accessLog: NonNullable<ConfigInput['edge']>['accessLog']): Promise<string> {
  const config = v.parse(ConfigSchema, { edge: { accessLog } })
  const best = { cpu: Infinity, own: Infinity }
  let bytesALine = 0
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const logs = new AccessLogs({
      node: 'gru1',
      worker: 0,
      stdout: 1,
      random: Math.random,
      warn: console.error,
    })
    const log = logs.open(config.edge.accessLog)
    const asked = requests()
    const cpu = process.cpuUsage()
    const own = process.threadCpuUsage()
    for (let i = 0; i < LINES; i += 1) {
      log?.write(asked[i % 1000]!, Date.now(), 0.1 + (i % 900) / 1000)
      if (i % TURN !== 0) continue
      await new Promise((resolve) => setImmediate(resolve))
      // More than any edge writes: the disk must get its turn, or lines are dropped.
      while (log !== undefined && i - written(logs) > 10_000)
        await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await logs.close()
    const used = process.cpuUsage(cpu)
    const usedOwn = process.threadCpuUsage(own)
    best.cpu = Math.min(best.cpu, (used.user + used.system) / LINES)
    best.own = Math.min(best.own, (usedOwn.user + usedOwn.system) / LINES)
    if (log !== undefined && written(logs) !== LINES) throw new Error('lines were dropped')
    const path = config.edge.accessLog[0]?.path
    if (path === undefined) continue
    bytesALine = statSync(path).size / LINES
    rmSync(path)
  }
  return `${best.cpu.toFixed(2)} µs of the process, ${best.own.toFixed(2)} of its main thread, ${Math.round(bytesALine)} bytes`
}

try {
  const path = join(folder, 'access.log')
  console.log(`no log (the loop alone): ${await microsecondsALine(false)}`)
  console.log(`json:                    ${await microsecondsALine(path)}`)
  console.log(`combined:                ${await microsecondsALine({ path, format: 'combined' })}`)
  console.log(
    `json, five fields:       ${await microsecondsALine({ path, fields: ['time', 'client', 'target', 'status', 'durationMs'] })}`,
  )
} finally {
  rmSync(folder, { recursive: true })
}
