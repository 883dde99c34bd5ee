import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { eventually } from '../../../test/harness/eventually.ts'
import { Admission, type AdmissionOptions, type Seat } from './admission.ts'

async function door(t: TestContext, options: Partial<AdmissionOptions>) {
  const admission = new Admission({ connectionsMax: 4, ofOneNetworkMax: 4, beginMs: 60_000, ...options })
  const arrivals: ((seat: Seat | undefined) => void)[] = []
  const server = createServer((socket) => {
    socket.resume()
    arrivals.shift()!(admission.admit(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of admission.sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as { port: number }
  /** Addresses of 127.0.0.0/8 are networks of their own. */
  const come = async (localAddress = '127.0.0.1'): Promise<{ client: Socket; seat: Seat | undefined }> => {
    const { promise, resolve } = Promise.withResolvers<Seat | undefined>()
    arrivals.push(resolve)
    const client = connect({ port, host: '127.0.0.1', localAddress }).on('error', () => undefined)
    client.resume()
    t.after(() => client.destroy())
    return { client, seat: await promise }
  }
  return { admission, come }
}

const isClosed = ({ client }: { client: Socket }): Promise<unknown> => eventually(() => client.destroyed)

test('who comes to a full house takes the seat of the one that was of use longest ago', async (t) => {
  const { admission, come } = await door(t, { connectionsMax: 3 })
  const [first, second] = [await come(), await come('127.0.0.2'), await come('127.0.0.3')]
  first.seat!.use()
  assert.ok((await come('127.0.0.4')).seat)
  await isClosed(second)
  assert.equal(first.client.destroyed, false)
  assert.equal(admission.sockets.length, 3)
})

test('one network has its share, and takes it from nobody else', async (t) => {
  const { admission, come } = await door(t, { ofOneNetworkMax: 2 })
  const other = await come('127.0.0.2')
  const [first] = [await come(), await come(), await come()]
  await isClosed(first!)
  assert.equal(other.client.destroyed, false)
  assert.equal(admission.sockets.length, 3)
})

test('where all have queries on their way, whoever comes is closed', async (t) => {
  const { admission, come } = await door(t, { connectionsMax: 2 })
  const seats = [await come(), await come()]
  for (const { seat } of seats) seat!.pending = 1
  const late = await come()
  assert.equal(late.seat, undefined)
  await isClosed(late)
  seats[1]!.seat!.pending = 0
  assert.ok((await come()).seat)
  await isClosed(seats[1]!)
  assert.equal(admission.sockets.length, 2)
})

test('a seat is free when its client has gone, and who never begins is closed', async (t) => {
  const { admission, come } = await door(t, { beginMs: 20 })
  const begun = await come()
  begun.seat!.hasBegun()
  await isClosed(await come())
  assert.deepEqual(admission.sockets, [begun.seat!.socket])
  assert.equal(admission.seatOf(begun.seat!.socket), begun.seat)
  begun.client.destroy()
  await eventually(() => admission.sockets.length === 0)
})
