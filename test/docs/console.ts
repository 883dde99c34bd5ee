/**
 * The console sessions of a page: what stands after `$ ` is run by a shell, and what it prints is compared with what the
 * page shows.
 *
 * Numbers differ from run to run, and with them the width of columns: every number counts as 0, but for a status that stands alone
 * on its line; every run of blanks counts as one, and long random names in hexadecimal are all the same.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cleanEnvironment, patient } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import type { Block } from './markdown.ts'

/** Several commands at most, on a machine where each takes its time. */
const SHELL_MS = 300_000

export interface Session {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** What stands on the page, and what stands for it here: addresses. */
  readonly places: ReadonlyMap<string, string>
  /** Leaves what is the same in each run, in the place of what is said above: for pages whose numbers mean something. */
  same?(text: string): string
}

export async function runConsole({ text, place }: Block, session: Session): Promise<void> {
  for (const part of text.split(/^\$ /m).slice(1)) {
    const [command = '', ...shown] = part.split('\n')
    const holds = async () => {
      const printed = await shell(patient(inPlace(command, session)), session)
      const { same = normal } = session
      assert.equal(same(printed), same(inPlace(shown.join('\n'), session)), `${place}: ${command}`)
      return true
    }
    // Where the page waits for something, a machine that stands still takes longer.
    await (command.startsWith('sleep ') ? eventually(holds) : holds())
  }
}

export function inPlace(text: string, { places }: Session): string {
  if (places.size === 0) return text
  // All at once: a port that was put in may hold the digits of another.
  const written = [...places.keys()].map((key) => key.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return text.replaceAll(new RegExp(written.join('|'), 'g'), (key) => places.get(key)!)
}

/** Both outputs together, in the order in which they come. */
function shell(command: string, { cwd, env }: Session): Promise<string> {
  const child = spawn('sh', ['-c', `exec 2>&1\n${command}`], {
    cwd,
    env: { ...cleanEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: SHELL_MS,
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (output += piece))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (_, signal) => resolve(signal === null ? output : `${output}ended by ${signal}`))
  })
}

const DATE = /\w{3}, \d{2} \w{3} \d{4} /g

const normal = (text: string): string =>
  text
    .replaceAll('\r', '')
    .replaceAll(DATE, 'DATE ')
    .replaceAll(/\b[0-9a-f]{16,}\b/g, 'ID')
    .replaceAll(/^([1-5]\d\d)$|\d+/gm, (_, status?: string) => status ?? '0')
    .replaceAll(/[ \t]+/g, ' ')
    .trim()
