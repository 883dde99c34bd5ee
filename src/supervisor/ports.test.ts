import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { test } from 'node:test'
import { EdgeError } from '../base/errors.ts'
import { describeProcess, joinAddress, portHolder, probeAddress, splitAddress } from './ports.ts'
import { eventually } from './testing/test-node.ts'

const listening = async (options: { reusePort?: boolean }) => {
  const server = createServer()
  server.listen({ host: '127.0.0.1', port: 0, ...options })
  await once(server, 'listening')
  return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` }
}

test('addresses are split and joined, IPv6 in brackets', () => {
  for (const text of ['127.0.0.1:8080', '[::1]:80', 'localhost:0']) {
    assert.equal(joinAddress(splitAddress(text)), text)
  }
  assert.deepEqual(splitAddress('[::1]:80'), { host: '::1', port: 80 })
})

test('a free port passes the probe, and is free afterwards', async () => {
  const { server, address } = await listening({})
  await new Promise((resolve) => server.close(resolve))
  await probeAddress(address)
  await probeAddress(address)
})

test('a port that somebody shares willingly is still refused, and the holder is named', async () => {
  const { server, address } = await listening({ reusePort: true })
  try {
    await assert.rejects(probeAddress(address), (error: unknown) => {
      assert.ok(error instanceof EdgeError)
      assert.equal(error.code, 'port-in-use')
      assert.match(error.message, new RegExp(`^${address} is taken by pid ${process.pid} \\(.*node`))
      return true
    })
  } finally {
    server.close()
  }
})

test('an address of another machine is an error in words', async () => {
  await assert.rejects(probeAddress('192.0.2.1:8080'), /192\.0\.2\.1:8080 is not an address of this machine/)
})

test('a command of several lines is told in one', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {},\n\n1000)'], { stdio: 'ignore' })
  try {
    // The new process is still this program until it has become its own.
    const told = await eventually(
      () => describeProcess(child.pid!),
      (text) => text.includes('setInterval'),
    )
    assert.match(told, /setInterval\(\(\) => \{\}, 1000\)\)$/)
  } finally {
    child.kill('SIGKILL')
  }
})

test('nobody holds a port that is free', () => {
  assert.equal(portHolder(1), undefined)
})
