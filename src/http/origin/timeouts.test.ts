import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ask, originOf } from './testing/ask.ts'
import { rawServer, until } from './testing/raw-server.ts'

test('an origin that does not answer in time is given up', async () => {
  const server = await rawServer(() => {})
  const origin = originOf([server.url], { times: { response: 50 } })
  const answer = await ask(origin).over
  assert.equal(answer.error?.code, 'origin-timeout-response')
  assert.equal(answer.error.status, 504)
  assert.equal(answer.error.message, `${server.url} did not answer within 50 ms`)
  await until('the connection is closed', () => server.connections[0]!.isClosed)
  server.close()
})

test('an origin that stops in the middle of its answer is given up', async () => {
  const server = await rawServer(({ socket }) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart'),
  )
  const origin = originOf([server.url], { times: { response: 50 } })
  const answer = await ask(origin).over
  assert.deepEqual(answer.told, ['head', 'data', 'error'])
  assert.match(answer.error!.message, /sent nothing more of its answer within 50 ms/)
  server.close()
})

test('interim answers do not buy time', async () => {
  const server = await rawServer(({ socket }) => {
    const timer = setInterval(() => socket.write('HTTP/1.1 102 Processing\r\n\r\n'), 10)
    socket.on('close', () => clearInterval(timer))
  })
  const origin = originOf([server.url], { times: { response: 100 } })
  assert.equal((await ask(origin).over).error?.code, 'origin-timeout-response')
  server.close()
})

test('an answer that keeps coming may take longer than the time between two pieces', async () => {
  const server = await rawServer(({ socket }) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n')
    let sent = 0
    const timer = setInterval(() => {
      socket.write('x')
      if (++sent === 30) clearInterval(timer)
    }, 20)
    socket.on('close', () => clearInterval(timer))
  })
  const origin = originOf([server.url], { times: { response: 400 } })
  const started = performance.now()
  const answer = await ask(origin).over
  assert.equal(answer.error, undefined)
  assert.equal(answer.body.length, 30)
  assert.ok(performance.now() - started > 500)
  origin.close()
  server.close()
})

test('the time of a slow client is not the time of the origin', async () => {
  const server = await rawServer(({ socket, received }) => {
    if (received.endsWith('body')) socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone`)
  })
  const origin = originOf([server.url], { times: { response: 50 } })
  let isPaused = false
  const answer = ask(origin, {
    method: 'POST',
    body: 4,
    onData: () => {
      isPaused = true
      return false
    },
  })
  await until('the head arrived', () => server.connections[0]?.received.includes('\r\n\r\n') === true)
  await new Promise((done) => setTimeout(done, 200))
  answer.call.write(Buffer.from('body'))
  answer.call.end()
  await until('the answer is paused', () => isPaused)
  await answer.over
  assert.equal(answer.error, undefined)
  assert.equal(answer.body, 'done')
  origin.close()
  server.close()
})

test('a handler that pauses is not held against the origin', async () => {
  const server = await rawServer(({ socket }) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf')
    setTimeout(() => socket.write('rest'), 20)
  })
  const origin = originOf([server.url], { times: { response: 60 } })
  let pauses = 0
  const answer = ask(origin, { onData: () => pauses++ > 0 })
  await until('it is paused', () => pauses === 1)
  await new Promise((done) => setTimeout(done, 250))
  assert.equal(answer.isOver, false)
  answer.call.resume()
  assert.equal((await answer.over).body, 'halfrest')
  origin.close()
  server.close()
})
