/** `orla dev --json`, as a program reads it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { cleanEnvironment, ORLA } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import { ask } from '../harness/http-client.ts'

type Told = Readonly<Record<string, unknown>> & { readonly kind: string }

test('each line is an object that says what it is', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'orla-devjson-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'gate.ts')
  const write = (word: string) =>
    writeFileSync(
      file,
      `export default {
        limits: { cpuMs: 1000 },
        content: (_: unknown, edge: any) => (edge.log('seen'), new Response(${word})),
      }`,
    )
  write("'one'")
  const child = spawn(ORLA, ['dev', file, '--listen', '127.0.0.1:0', '--json'], {
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const ended = new Promise((resolve) => child.on('close', resolve))
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const told: Told[] = []
  createInterface({ input: child.stdout }).on('line', (line) => void told.push(JSON.parse(line) as Told))
  const next = (kind: string, holds: (one: Told) => boolean = () => true) =>
    eventually(() => told.find((one) => one.kind === kind && holds(one)), {
      what: () => `no ${kind} in ${JSON.stringify(told)}`,
    })
  const { edge } = (await next('ready')) as unknown as { edge: string[] }
  assert.equal((await next('deployed'))['version'], 1)
  assert.equal((await ask(`${edge[0]}/a`)).text, 'one')
  assert.equal((await next('line'))['message'], 'seen')
  const request = await next('request')
  assert.deepEqual([request['method'], request['target'], request['status']], ['GET', '/a', 200])
  write('missing')
  await next('refused', ({ problems }) => JSON.stringify(problems).includes('missing'))
})
