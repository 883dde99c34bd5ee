/** dnspython as a second opinion: a script is given values as JSON on stdin, and prints a line of JSON for each of them. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const PYTHON = '/usr/bin/python3'

export async function askPython<T>(script: string, input: unknown): Promise<T[]> {
  const run = promisify(execFile)(PYTHON, ['-c', script], { maxBuffer: 2 ** 28 })
  run.child.stdin!.end(JSON.stringify(input))
  const { stdout } = await run
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}
