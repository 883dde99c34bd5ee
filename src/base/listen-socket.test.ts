import assert from 'node:assert/strict'
import { connect, createServer, type AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { openListenSocket, type ListenSocketOptions } from './listen-socket.ts'

const open = (options: Partial<ListenSocketOptions> = {}) =>
  openListenSocket({ host: '127.0.0.1', port: 0, reusePort: true, backlog: 16, ...options })

/** Accepts one connection from the descriptor and answers with its own address. */
async function greet(t: TestContext, fd: number): Promise<AddressInfo> {
  const server = createServer((socket) => socket.end('hello'))
  await new Promise<void>((done) => void server.listen({ fd }, done))
  t.after(() => server.close())
  return server.address() as AddressInfo
}

function readAll(port: number, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    // The first address of a name, as the other side takes it: who tries several gives each a quarter of a second.
    const socket = connect({ port, host, autoSelectFamily: false }).setEncoding('utf8')
    socket.on('data', (piece) => (text += String(piece)))
    socket.on('error', reject)
    socket.on('end', () => resolve(text))
  })
}

for (const host of ['127.0.0.1', '::1', '::ffff:127.0.0.1', 'localhost', '::', '0.0.0.0']) {
  test(`a socket on ${host} takes connections before and while somebody accepts`, async (t) => {
    const socket = await open({ host })
    assert.notEqual(socket.port, 0)
    const target = { '::': '::1', '0.0.0.0': '127.0.0.1', '::ffff:127.0.0.1': '127.0.0.1' }[host] ?? host
    const early = readAll(socket.port, target)
    const address = await greet(t, socket.fd)
    assert.equal(address.port, socket.port)
    assert.equal(await early, 'hello')
    assert.equal(await readAll(socket.port, target), 'hello')
  })
}

test('several share a port where each of them says so', async () => {
  const first = await open()
  const second = await open({ port: first.port })
  assert.equal(second.port, first.port)
  await assert.rejects(open({ port: first.port, reusePort: false }), { code: 'EADDRINUSE' })
  first.close()
  second.close()
  const alone = await open({ port: first.port, reusePort: false })
  await assert.rejects(open({ port: first.port }), { code: 'EADDRINUSE' })
  alone.close()
  alone.close()
})

test('an address that is not of this machine, and a name that is none, are errors with a code', async () => {
  await assert.rejects(open({ host: '192.0.2.1' }), { code: 'EADDRNOTAVAIL' })
  await assert.rejects(open({ host: 'no.such.name.invalid' }), (error: NodeJS.ErrnoException) =>
    /^(?:ENOTFOUND|EAI_AGAIN)$/.test(error.code ?? ''),
  )
})
