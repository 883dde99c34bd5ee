/**
 * A zone of a million records: how long it takes to load, what a record takes of memory, and what an answer costs. Run: `node src/zone/zone.bench.ts [RECORDS]`.
 *
 * Loading is measured in a process of its own, all of it: processor time from its first line on, memory of the whole process. The floor of an answer is a
 * message with one record that was made before.
 */
import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TYPE } from '../wire/dns/codes.ts'
import { DnsMessage } from '../wire/dns/message.ts'
import { DnsName } from '../wire/dns/name.ts'
import { lookUp } from './lookup.ts'
import { Zone } from './zone.ts'
import { loadZoneFile } from './zone-loader.ts'

const ORIGIN = DnsName.parse('example.org')
const [, , first = '1000000', isChild] = process.argv
const records = Number(first)

/** Addresses of both families, MX, TXT and CNAME, mixed. */
function writeZone(path: string): void {
  const file = openSync(path, 'w')
  writeSync(
    file,
    '$ORIGIN example.org.\n$TTL 3600\n@ SOA ns hostmaster 1 7200 3600 1209600 300\n@ NS ns\nns A 192.0.2.1\n',
  )
  let lines: string[] = []
  for (let host = 0, left = records - 3; left > 0; host++) {
    const more = [`host${host} A 10.${(host >> 16) & 255}.${(host >> 8) & 255}.${host & 255}\n`]
    if (host % 4 === 1) more.push(`host${host} AAAA 2001:db8::${(host & 0xffff).toString(16)}\n`)
    if (host % 8 === 2) more.push(`host${host} MX 10 mail${host % 100}\n`)
    if (host % 8 === 5) more.push(`host${host} TXT "some text of host ${host}"\n`)
    if (host % 8 === 7) more.push(`alias${host} CNAME host${host}\n`)
    lines.push(...more.slice(0, left))
    left -= Math.min(left, more.length)
    if (lines.length > 10_000 || left === 0) {
      writeSync(file, lines.join(''))
      lines = []
    }
  }
  closeSync(file)
}

const load = async (path: string): Promise<Zone> => {
  const result = await loadZoneFile({ path, origin: ORIGIN.wire }, statSync(path).size)
  if (result.kind !== 'zone') throw new Error('it has no zone')
  return new Zone(result.data)
}

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

async function loadAlone(path: string): Promise<void> {
  const idleBytes = process.memoryUsage.rss()
  const startMs = performance.now()
  const zone = await load(path)
  const wallMs = performance.now() - startMs
  const bytes = process.memoryUsage.rss()
  // The most that it ever was, with the thread that read it.
  const peakBytes = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024
  console.log(
    `${zone.records} records: ${cpuMs().toFixed(0)} ms of processor time in all, ${wallMs.toFixed(0)} ms on the clock; ` +
      `${((bytes - idleBytes) / zone.records).toFixed(0)} bytes a record more than before, ${(bytes / zone.records).toFixed(0)} with the whole process, ${(peakBytes / zone.records).toFixed(0)} at most`,
  )
}

const CALLS = 1_000_000

function timed(
  what: string,
  names: readonly DnsName[],
  type: number,
  run: (name: DnsName, type: number) => unknown,
): void {
  for (let call = 0; call < 200_000; call++) run(names[call % names.length]!, type)
  const before = cpuMs()
  for (let call = 0; call < CALLS; call++) run(names[call % names.length]!, type)
  console.log(`${(((cpuMs() - before) * 1e6) / CALLS).toFixed(0).padStart(6)} ns  ${what}`)
}

const namesOf = (count: number, text: (n: number) => string): DnsName[] =>
  Array.from({ length: count }, (_, n) => DnsName.parse(text((n * 7919) % 600_000), ORIGIN))

function answer(zone: Zone): (name: DnsName, type: number) => DnsMessage {
  return (name, type) => {
    const reply = new DnsMessage()
    lookUp(zone, name, type, false, reply)
    return reply
  }
}

if (isChild === undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'zone-bench-'))
  const path = join(folder, 'zone')
  try {
    writeZone(path)
    for (let round = 0; round < 3; round++)
      process.stdout.write(
        execFileSync(process.execPath, [
          '--disable-warning=ExperimentalWarning',
          import.meta.filename,
          path,
          'load',
        ]),
      )
    const zone = await load(path)
    const { soa } = zone
    timed('floor: a message with a record', [ORIGIN], TYPE.A, () => new DnsMessage().answer.push(soa))
    timed(
      'A, of 1,000 names',
      namesOf(1000, (n) => `host${n}`),
      TYPE.A,
      answer(zone),
    )
    timed(
      'A, of 100,000 names',
      namesOf(100_000, (n) => `host${n}`),
      TYPE.A,
      answer(zone),
    )
    timed(
      'CNAME and A',
      namesOf(1000, (n) => `alias${n - (n % 8) + 7}`),
      TYPE.A,
      answer(zone),
    )
    timed(
      'no such name',
      namesOf(1000, (n) => `nobody${n}`),
      TYPE.A,
      answer(zone),
    )
    timed(
      'no such type',
      namesOf(1000, (n) => `host${n}`),
      TYPE.CAA,
      answer(zone),
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
} else await loadAlone(first)
