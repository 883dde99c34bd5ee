/** Follows a page as a reader would: writes its files, starts what goes on, and runs its sessions. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { cleanEnvironment } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import { ask } from '../harness/http-client.ts'
import { inPlace, runConsole, type Session } from './console.ts'
import { type Block, blocksOf } from './markdown.ts'

/** Writes the files and runs the sessions of a page, from its top to its end. */
export async function followPage(
  path: string,
  session: Session,
  onBackground?: (block: Block, session: Session) => Promise<void>,
): Promise<void> {
  let sessions = 0
  for (const block of blocksOf(path)) {
    const [kind, name] = (block.marker[0] ?? '').split(' ')
    if (kind === 'file') await writeFile(join(session.cwd, name!), inPlace(block.text, session))
    else if (kind === 'background') await onBackground!(block, session)
    else if (block.language === 'console') {
      sessions += 1
      await runConsole(block, session)
    }
  }
  assert.ok(sessions >= 3, `${path} has only ${sessions} sessions`)
}

/**
 * A program that goes on. It serves when it has printed what the page shows below its line, or when the address in the
 * marker answers.
 */
export async function startBehind(t: TestContext, { text, marker }: Block, session: Session): Promise<void> {
  const { cwd, env } = session
  const [, command = '', shown = ''] = /^\$ (.*)\n([^]*)$/.exec(inPlace(text, session)) ?? []
  const child = spawn('sh', ['-c', `exec ${command}`], {
    cwd,
    env: { ...cleanEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  let complaint = ''
  let ending = ''
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (printed += piece))
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (complaint += piece))
  const ended = new Promise<void>((resolve) => {
    child.on('close', (code, signal) => {
      ending = String(code ?? signal)
      resolve()
    })
  })
  t.after(async () => {
    // One that a page made stand still hears nothing else.
    child.kill('SIGCONT')
    child.kill('SIGTERM')
    await ended
  })
  const url = marker[0]!.split(' ')[1]
  const serves = async () =>
    url === undefined ? printed === shown : (await ask(inPlace(url, session))).status === 200
  const told = () => `it printed "${printed}" and "${complaint}"`
  await eventually(async () => ending !== '' || (await serves()), {
    what: () => `"${command}" did not serve; ${told()}`,
  })
  assert.equal(ending, '', `"${command}" ended; ${told()}`)
}

export async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'orla-docs-'))
  const cwd = join(folder, 'my-edge')
  await mkdir(cwd)
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  return cwd
}
