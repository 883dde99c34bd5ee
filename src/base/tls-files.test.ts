import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readTlsFile, readTlsFiles } from './tls-files.ts'

test('only files that are named are read, and one that cannot be is told with its field and path', () => {
  assert.deepEqual(readTlsFiles('store.tls', {}), {})
  const { cert, ...others } = readTlsFiles('store.tls', { cert: import.meta.filename })
  assert.ok(cert?.includes('readTlsFiles'))
  assert.deepEqual(others, {})
  assert.throws(() => readTlsFiles('store.tls', { ca: '/none/ca.pem' }), {
    code: 'file-unreadable',
    message: /^store\.tls\.ca: \/none\/ca\.pem cannot be read: ENOENT/,
  })
  assert.throws(() => readTlsFile('store.ca', '/none/ca.pem'), { code: 'file-unreadable' })
})
