import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import koffi from 'koffi'
import { notifyServiceManager } from './service-manager.ts'

/** What a service manager does: a datagram socket at a path, or with a name of the kernel's own. Returns what waits in it. */
function manager(t: TestContext, name: Buffer): () => string {
  const libc = koffi.load(null)
  const socket = libc.func('int socket(int family, int type, int protocol)')
  const bind = libc.func('int bind(int fd, void *address, uint32_t length)')
  const recv = libc.func('int64_t recv(int fd, void *bytes, size_t length, int flags)')
  const close = libc.func('int close(int fd)')
  const [AF_UNIX, SOCK_DGRAM, MSG_DONTWAIT] = [1, 2, 0x40]
  const fd = socket(AF_UNIX, SOCK_DGRAM, 0) as number
  t.after(() => close(fd))
  const address = Buffer.concat([Buffer.from(Uint16Array.of(AF_UNIX).buffer), name])
  assert.equal(bind(fd, address, address.length), 0)
  return () => {
    const bytes = Buffer.alloc(1000)
    return bytes.subarray(0, Math.max(0, Number(recv(fd, bytes, bytes.length, MSG_DONTWAIT)))).toString()
  }
}

test('a service manager is told, by a path and by a name of the kernel’s', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'orla-notify-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'notify')
  const atPath = manager(t, Buffer.from(path))
  assert.ok(notifyServiceManager('READY=1\nMAINPID=4711', { NOTIFY_SOCKET: path }))
  assert.equal(atPath(), 'READY=1\nMAINPID=4711')
  const name = `orla-test-${process.pid}`
  const abstract = manager(t, Buffer.from(`\0${name}`))
  assert.ok(notifyServiceManager('STOPPING=1', { NOTIFY_SOCKET: `@${name}` }))
  assert.equal(abstract(), 'STOPPING=1')
})

test('where nobody listens, or nobody asks, nothing is told and nothing fails', () => {
  assert.equal(notifyServiceManager('READY=1', {}), false)
  assert.equal(notifyServiceManager('READY=1', { NOTIFY_SOCKET: '/nowhere/at/all' }), false)
  assert.equal(notifyServiceManager('READY=1', { NOTIFY_SOCKET: `/${'x'.repeat(200)}` }), false)
})
