/**
 * The console sessions of a page: what stands after `$ ` is run by a shell, and what it prints is compared with what the
 * page shows.
 *
 * Numbers differ from run to run, and with them the width of columns: every number counts as 0, every run of blanks as one, and
 * long random names in hexadecimal are all the same.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cleanEnvironment } from '../harness/command.ts'
import type { Block } from './markdown.ts'

export interface Session {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** What stands on the page, and what stands for it here: addresses. */
  readonly places: ReadonlyMap<string, string>
}

export async function runConsole({ text, place }: Block, session: Session): Promise<void> {
  for (const part of text.split(/^\$ /m).slice(1)) {
    const [command = '', ...shown] = part.split('\n')
    const printed = await shell(inPlace(command, session), session)
    assert.equal(normal(printed), normal(inPlace(shown.join('\n'), session)), `${place}: ${command}`)
  }
}

export function inPlace(text: string, { places }: Session): string {
  let result = text
  for (const [written, real] of places) result = result.replaceAll(written, real)
  return result
}

/** Both outputs together, in the order in which they come. */
function shell(command: string, { cwd, env }: Session): Promise<string> {
  const child = spawn('sh', ['-c', `exec 2>&1\n${command}`], {
    cwd,
    env: { ...cleanEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 60_000,
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (output += piece))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', () => resolve(output))
  })
}

const DATE = /\w{3}, \d{2} \w{3} \d{4} /g

const normal = (text: string): string =>
  text
    .replaceAll('\r', '')
    .replaceAll(DATE, 'DATE ')
    .replaceAll(/\b[0-9a-f]{16,}\b/g, 'ID')
    .replaceAll(/\d+/g, '0')
    .replaceAll(/[ \t]+/g, ' ')
    .trim()
