/**
 * Knot DNS and BIND in a test, each with zones in a folder of its own: what ours is held against.
 *
 *     const knot = await startKnot(t, [{ name: 'example.org', text: '…', more: 'acl: [all]' }])
 *     const answer = await askUdp(knot.port, 'www.example.org', TYPE.A)
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DnsMessage } from '../../src/wire/dns/message.ts'
import { encodeMessage } from '../../src/wire/dns/message-writer.ts'
import { DnsName } from '../../src/wire/dns/name.ts'
import { eventually } from './eventually.ts'
import { freePort } from './ports.ts'

export interface Owner {
  after(work: () => unknown): void
}

export interface ServedZoneFile {
  readonly name: string
  /** Undefined for one that is fetched from elsewhere. */
  readonly text?: string
  /** More lines of the zone in the server's configuration. */
  readonly more?: string
}

export interface NameServer {
  readonly port: number
  readonly folder: string
  /** What it said so far. */
  said(): string
  /** Writes a zone and has it loaded; returns at once. */
  load(zone: string, text: string): void
  stop(): Promise<void>
}

const isThere = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0
/** Why tests beside Knot DNS or BIND do not run here; false where they do. */
export const knotIsMissing: string | false = isThere('knotd', '--version') ? false : 'knotd is not installed'
export const bindIsMissing: string | false = isThere('named', '-v') ? false : 'named is not installed'

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** `more`: lines in front of the zones, such as `remote:` sections. */
export async function startKnot(
  t: Owner,
  zones: readonly ServedZoneFile[],
  more: (port: number) => string = () => '',
): Promise<NameServer> {
  const folder = folderFor(t, zones)
  const port = await freePort()
  const sections = zones.map(
    ({ name, text, more: lines = '' }) =>
      `  - domain: ${name}\n    file: ${join(folder, name)}\n    journal-content: none\n    zonefile-load: ${text === undefined ? 'none' : 'whole'}\n    zonefile-sync: ${text === undefined ? 0 : -1}\n${lines}\n`,
  )
  const config = `server:
    listen: 127.0.0.1@${port}
    rundir: ${folder}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: ${folder}
log:
  - target: stdout
    any: info
acl:
  - id: all
    address: 127.0.0.1
    action: [transfer, notify]
${more(port)}
zone:
${sections.join('')}`
  writeFileSync(join(folder, 'knot.conf'), config)
  return started(
    t,
    'knotd',
    ['-c', join(folder, 'knot.conf'), '-s', join(folder, 'knot.sock')],
    folder,
    port,
    zones,
  )
}

export async function startBind(
  t: Owner,
  zones: readonly ServedZoneFile[],
  options = '',
  wantedPort?: number,
): Promise<NameServer> {
  const folder = folderFor(t, zones)
  const port = wantedPort ?? (await freePort())
  const sections = zones.map(
    ({ name, text, more = '' }) =>
      `zone "${name}" { type ${text === undefined ? 'secondary' : 'primary'}; file "${join(folder, name)}"; ${more} };\n`,
  )
  const config = `options {
    directory "${folder}"; pid-file "${join(folder, 'named.pid')}"; session-keyfile "${join(folder, 'session.key')}";
    listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };
    recursion no; minimal-responses yes; notify no; dnssec-validation no; check-names primary ignore; check-integrity no; masterfile-format text;
    minimal-any no; ${options}
};
controls {};
${sections.join('')}`
  writeFileSync(join(folder, 'named.conf'), config)
  return started(t, 'named', ['-g', '-n', '1', '-c', join(folder, 'named.conf')], folder, port, zones)
}

function folderFor(t: Owner, zones: readonly ServedZoneFile[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'name-server-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(folder, { recursive: true })
  for (const { name, text } of zones) if (text !== undefined) writeFileSync(join(folder, name), text)
  return folder
}

async function started(
  t: Owner,
  command: string,
  args: readonly string[],
  folder: string,
  port: number,
  zones: readonly ServedZoneFile[],
): Promise<NameServer> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => void (said += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => void (said += chunk.toString()))
  const ended = once(child, 'exit').then(() => void running.delete(child))
  const stop = async () => {
    child.kill('SIGKILL')
    await ended
  }
  t.after(stop)
  const [first] = zones
  await eventually(
    async () => {
      if (child.exitCode !== null) return true
      const answer = await askUdp(port, first!.name, 6, { withinMs: 300 })
      return first!.text === undefined || answer.rcode === 0
    },
    { what: () => `${command} does not answer: ${said}` },
  )
  if (child.exitCode !== null) throw new Error(`${command} ended: ${said}`)
  return {
    port,
    folder,
    said: () => said,
    load(zone, text) {
      writeFileSync(join(folder, zone), text)
      child.kill('SIGHUP')
    },
    stop,
  }
}

export interface AskOptions {
  readonly isDo?: boolean
  readonly withinMs?: number
  readonly opcode?: number
}

/** The answer to one question over UDP, with EDNS. */
export async function askUdp(
  port: number,
  name: string,
  type: number,
  { isDo = false, withinMs = 10_000, opcode = 0 }: AskOptions = {},
): Promise<DnsMessage> {
  const message = new DnsMessage()
  message.id = Math.floor(Math.random() * 65_536)
  message.opcode = opcode
  message.question.push({ name: DnsName.parse(name), type, class: 1 })
  message.edns = { udpSize: 4096, version: 0, isDo, options: [] }
  const socket = createSocket('udp4')
  const timer = setTimeout(() => socket.emit('error', new Error('no answer')), withinMs)
  try {
    socket.connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const answered = once(socket, 'message')
    socket.send(encodeMessage(message))
    const [bytes] = (await answered) as [Buffer]
    return DnsMessage.decode(bytes)
  } finally {
    clearTimeout(timer)
    socket.close()
  }
}
