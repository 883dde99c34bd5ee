/** `bin/orla dns` in a test: with a Corefile in a folder of its own, at ports that the kernel chose. */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import type { DnsMessage } from '../../src/wire/dns/message.ts'
import { parseType } from '../../src/wire/dns/codes.ts'
import { cleanEnvironment, type Ending, ORLA } from './command.ts'
import { askUdp } from './name-servers.ts'

export interface RunningDns {
  readonly pid: number
  /** As the line that says it serves has them: `dns://127.0.0.1:5300`. */
  readonly addresses: readonly string[]
  /** Of the first address. */
  readonly port: number
  /** Of the Corefile. */
  readonly folder: string
  /** Asks the first address over UDP. */
  ask(name: string, type?: string): Promise<DnsMessage>
  /** Writes a file of the folder anew. */
  write(file: string, text: string): void
  stdout(): string
  stderr(): string
  readonly ended: Promise<Ending>
  kill(signal: NodeJS.Signals): void
}

/** A folder with files, gone with the test. */
export function folderOf(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'orla-dns-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), text)
  }
  return folder
}

/** Rejects with what it said where it does not come to serve. */
export async function startDns(
  t: TestContext,
  files: Readonly<Record<string, string>>,
  argv: readonly string[] = [],
): Promise<RunningDns> {
  const folder = folderOf(t, files)
  const child = spawn(ORLA, ['dns', ...argv], {
    cwd: folder,
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8')
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = new Promise<Ending>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal })),
  )
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const addresses = await new Promise<string[]>((resolve, reject) => {
    child.stdout.on('data', (text: string) => {
      stdout += text
      const list = /^ready dns=(\S+)$/m.exec(stdout)?.[1]
      if (list !== undefined) resolve(list.split(','))
    })
    void ended.then(({ code, signal }) => reject(new Error(`it ended with ${code ?? signal}: ${stderr}`)))
  })
  const port = Number(/\d+$/.exec(addresses[0]!)![0])
  return {
    pid: child.pid!,
    addresses,
    port,
    folder,
    ask: (name, type = 'A') => askUdp(port, name, parseType(type)!, { withinMs: 30_000 }),
    write: (file, text) => writeFileSync(join(folder, file), text),
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    kill: (signal) => void child.kill(signal),
  }
}
