/** Requests whose body is still with the client have a part of the connections, and leave the others theirs. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { ask, originOf, type OriginOptions } from './testing/ask.ts'
import { rawServer, until } from './testing/raw-server.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** Answers a GET, and a body that ends in a full stop. */
async function stand(t: TestContext, options: OriginOptions) {
  const server = await rawServer(({ socket, received }, text) => {
    const isWhole = text.startsWith('GET') || /\.(?:\r\n0\r\n\r\n)?$/.test(received)
    if (isWhole) socket.write(OK)
  })
  const origin = originOf([server.url], options)
  t.after(() => {
    origin.close()
    server.close()
  })
  const upload = (body: 'chunked' | number = 'chunked') => {
    const answer = ask(origin, { method: 'POST', body })
    answer.call.write(Buffer.from('x'))
    return answer
  }
  const finish = ({ call }: ReturnType<typeof ask>) => {
    call.write(Buffer.from('.'))
    call.end()
  }
  const endpoint = () => origin.state().endpoints[0]!
  return { server, origin, upload, finish, endpoint, get: () => ask(origin).over }
}

test('half of the connections are for others, and uploads wait for theirs', async (t) => {
  const { upload, finish, endpoint, get } = await stand(t, { connectionsMax: 4, pendingMax: 4 })
  const [first, second, third, fourth] = [upload(), upload(2), upload(), upload()] as const
  await until('two have a connection', () => endpoint().connections === 2)
  assert.equal(endpoint().waiting, 2)
  for (let n = 0; n < 5; n += 1) assert.equal((await get()).body, 'ok')

  // Whoever is done makes room for the one that came first.
  finish(first)
  assert.equal((await first.over).body, 'ok')
  finish(third)
  assert.equal((await third.over).body, 'ok')
  // So does whoever leaves.
  second.call.abort()
  finish(fourth)
  assert.equal((await fourth.over).body, 'ok')
  await until('nobody is left', () => endpoint().active === 0)
})

test('with as many waiting as may, one more is refused at once, and the others are not', async (t) => {
  const { upload, endpoint, get, origin } = await stand(t, { connectionsMax: 4, pendingMax: 4 })
  for (let n = 0; n < 4; n += 1) upload()
  assert.equal(endpoint().full, 'uploads')
  const { error } = await upload().over
  assert.equal(error?.code, 'origin-busy')
  assert.match(error.message, /as many requests whose bodies are still to come as it may have \(2\)/)
  const sample = origin
    .samples('a')
    .find(
      ({ name, labels }) => name === 'orla_origin_endpoint_overflows_total' && labels['reason'] === 'uploads',
    )
  assert.equal(sample?.value, 1)
  assert.equal((await get()).body, 'ok')
  const whole = ask(origin, { method: 'POST', body: 2, isWhole: true, pieces: ['x.'] })
  assert.equal((await whole.over).body, 'ok')
})

test('an upload that has come while it waited is one of the others', async (t) => {
  const { upload, finish, endpoint } = await stand(t, { connectionsMax: 2, pendingMax: 2 })
  const [held, waits] = [upload(), upload()]
  assert.equal(endpoint().waiting, 1)
  finish(waits)
  assert.equal((await waits.over).body, 'ok')
  finish(held)
  assert.equal((await held.over).body, 'ok')
})

test('an upload waits for as long as a connect may take', async (t) => {
  const { upload } = await stand(t, { connectionsMax: 2, pendingMax: 2, times: { connect: 50 } })
  const held = upload()
  const { error } = await upload().over
  assert.match(
    error!.message,
    /none of 1 connections to \S+ for bodies that are still to come came free within 50 ms/,
  )
  held.call.abort()
})

test('of requestsMax, too, uploads have half', async (t) => {
  const { upload, get } = await stand(t, { requestsMax: 4 })
  const held = [upload(), upload()]
  assert.equal((await upload().over).error?.code, 'origin-busy')
  assert.equal((await get()).body, 'ok')
  for (const { call } of held) call.abort()
  const next = upload()
  assert.notEqual(next.call.endpoint, '')
  next.call.abort()
})
