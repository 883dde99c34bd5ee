import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync, readdirSync } from 'node:fs'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { MemoryFile } from './memory-file.ts'

const openFiles = (): number =>
  readdirSync('/proc/self/fd').filter((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`).includes('orla-body')
    } catch {
      return false
    }
  }).length

test('a memory file gives back what was appended, from anywhere in it', () => {
  const file = MemoryFile.create()!
  assert.ok(file.append(Buffer.from('hello ')))
  assert.ok(file.append(Buffer.from('world')))
  assert.equal(file.length, 11)
  assert.equal(file.read(0, 11).toString(), 'hello world')
  assert.equal(file.read(4, 8).toString(), 'o wo')
  assert.throws(() => file.read(4, 12), /beyond its end/)
  file.close()
})

test('its descriptor goes back when it is closed, and it cannot be used any more', () => {
  const before = openFiles()
  const file = MemoryFile.create()!
  assert.equal(openFiles(), before + 1)
  file.close()
  file.close()
  assert.equal(openFiles(), before)
  assert.throws(() => file.read(0, 1), /after it was closed/)
  assert.throws(() => file.sendTo(1, 0, 1), /after it was closed/)
  assert.throws(() => file.append(Buffer.from('x')), /after it was closed/)
})

test('there is a bound on their number: beyond it there are none', () => {
  const limit = Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))![1])
  const kept: MemoryFile[] = []
  for (let file = MemoryFile.create(); file !== undefined; file = MemoryFile.create()) kept.push(file)
  assert.ok(kept.length <= limit / 4, `${kept.length} of ${limit}`)
  assert.equal(openFiles(), kept.length)
  for (const file of kept) file.close()
  const one = MemoryFile.create()
  assert.ok(one !== undefined)
  one.close()
})

test('a socket takes what it has room for, and its peer gets just that, also when the file is closed meanwhile', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as { port: number }).port, '127.0.0.1')
  const [socket] = (await once(server, 'connection')) as [Socket]
  const descriptor = (socket as unknown as { _handle: { fd: number } })._handle.fd
  // No two pages are alike.
  const bytes = Buffer.alloc(16 << 20, randomBytes(10_007))
  const file = MemoryFile.create()!
  file.append(bytes)
  const taken = file.sendTo(descriptor, 1000, bytes.length)
  assert.ok(taken > 0 && taken < bytes.length - 1000, `${taken}`)
  assert.equal(file.sendTo(descriptor, 1000 + taken, bytes.length), 0)
  file.close()
  socket.end()
  const pieces: Buffer[] = []
  for await (const piece of client) pieces.push(piece as Buffer)
  assert.ok(Buffer.concat(pieces).equals(bytes.subarray(1000, 1000 + taken)))
  server.close()
})

test('a broken connection takes nothing', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as { port: number }).port, '127.0.0.1')
  const [socket] = (await once(server, 'connection')) as [Socket]
  socket.on('error', () => {})
  const descriptor = (socket as unknown as { _handle: { fd: number } })._handle.fd
  client.resetAndDestroy()
  await once(client, 'close')
  const file = MemoryFile.create()!
  file.append(Buffer.alloc(100_000))
  // Its end is known once the reset has come; what the kernel took before that is lost.
  let taken = 1
  for (let i = 0; taken > 0 && i < 1000; i += 1) taken = file.sendTo(descriptor, 0, file.length)
  assert.equal(taken, 0)
  file.close()
  server.close()
  socket.destroy()
})

test('on a system without these calls, or without /proc, there are none, and nothing is sent', () => {
  const program = `
    Object.defineProperty(process, 'platform', { value: 'darwin' })
    const { MemoryFile } = await import(${JSON.stringify(new URL('memory-file.ts', import.meta.url))})
    const { sendFile } = await import(${JSON.stringify(new URL('send-file.ts', import.meta.url))})
    console.log(JSON.stringify([MemoryFile.create() === undefined, sendFile(1, 0, 0, 10)]))
  `
  const mayRead = `--allow-fs-read=${join(import.meta.dirname, '*')}`
  const options = ['--permission', mayRead, '--input-type=module', '-e', program]
  const told = execFileSync(process.execPath, options, { encoding: 'utf8' })
  assert.deepEqual(JSON.parse(told), [true, 0])
})
