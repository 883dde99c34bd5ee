/** Programs and sessions of the guide to packets: loaded as they stand there, with packets, and they print what the page says. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { NO_PACKETS } from '../../src/packet/testing/compiled.support.ts'
import { ethernet, ipv4, udp } from '../../src/packet/testing/frames.ts'
import { cleanEnvironment, ORLA } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import { leaveNetwork, NO_NETWORK, startWire } from '../harness/network.ts'
import { blocksOf } from './markdown.ts'

const PAGE = 'docs/guides/packets.md'

/** `5005×5 7999`: ports, and how many packets to each. */
const framesOf = (options: readonly string[]): Buffer[] =>
  options.flatMap((option) => {
    const [port, count = '1'] = option.split('×')
    const frame = ethernet(ipv4({ from: '198.51.100.2', to: '198.51.100.1' }, udp(Number(port))))
    return Array.from({ length: Number(count) }, () => frame)
  })

/** How long it took, and how many bytes, is not the same twice. */
const withoutTimes = (text: string) => text.replace(/, \d+\.\d s: /, ': ')

test('what arrives is counted as the guide to packets shows', { skip: NO_NETWORK ?? false }, async (t) => {
  const [block, ...others] = blocksOf(PAGE).filter(({ marker }) => marker[0]?.startsWith('packet-watch'))
  assert.equal(others.length, 0)
  leaveNetwork()
  const [command = '', ...expected] = block!.text.trim().split('\n')
  const child = spawn(ORLA, command.split(' ').slice(2), { env: cleanEnvironment() })
  t.after(() => child.kill('SIGKILL'))
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => (said += part))
  const ended = once(child, 'close')
  await eventually(() => said.includes('Ctrl-C'))
  const [, ...options] = block!.marker[0]!.split(' ')
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  for (const option of options) {
    const [port, count = '1'] = option.split('×')
    for (let i = 0; i < Number(count); i++)
      await new Promise<void>((resolve) => socket.send('orla', Number(port), '127.0.0.1', () => resolve()))
    await eventually(() => said.includes(`DEST_PORT : ${port}, COUNT : ${count}`))
  }
  child.kill('SIGINT')
  await ended
  // As it goes on, more may be told between two packets.
  const lines = withoutTimes(said).split('\n')
  for (const line of expected.map(withoutTimes)) assert.ok(lines.includes(line), `${line}\n\n${said}`)
})

/** The system sends packets of its own, such as those of IPv6. */
const withoutPass = (text: string) => text.replace(/^pass +\d+$/m, 'pass')

test('the programs in the guide to packets do what the page says', { skip: NO_PACKETS }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'orla-guide-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  let sessions = 0
  for (const { marker, text, place } of blocksOf(PAGE)) {
    const [kind, ...options] = (marker[0] ?? '').split(' ')
    if (kind === 'packet-program') await writeFile(join(folder, options[0]!), text)
    if (kind !== 'packet-load') continue
    sessions += 1
    await t.test(place, async (t) => {
      const wire = await startWire(t, { name: 'eth0' })
      const [command = '', ...expected] = text.trim().split('\n')
      const child = spawn(ORLA, command.split(' ').slice(2), { cwd: folder, env: cleanEnvironment() })
      t.after(() => child.kill('SIGKILL'))
      let [stdout, stderr] = ['', '']
      child.stdout.setEncoding('utf8').on('data', (part: string) => (stdout += part))
      child.stderr.setEncoding('utf8').on('data', (part: string) => (stderr += part))
      const ended = once(child, 'close')
      if (options.length > 0) {
        await eventually(() => stderr.includes('runs on'))
        await wire.send(framesOf(options))
        await eventually(() => stdout.includes('trace'))
        child.kill('SIGINT')
      }
      await ended
      // The first line goes to standard error, as all do that tell of no result.
      assert.equal(withoutPass(stderr + stdout).trim(), withoutPass(expected.join('\n')))
    })
  }
  assert.equal(sessions, 2)
})
