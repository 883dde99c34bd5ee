import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as settled } from 'node:timers/promises'
import type { Timers } from '../base/timers.ts'
import { SILENCE_MAX_MS } from '../contract/replication.ts'
import { ControlFollower } from './control-follower.ts'
import type { ControlTransport } from './control-transport.ts'

/** Connections on which nothing comes, and what waits for time to pass. */
function stand() {
  let [open, opened] = [0, 0]
  const waiting = new Map<() => void, number>()
  const timers: Timers = {
    later(ms, work) {
      waiting.set(work, ms)
      return () => waiting.delete(work)
    },
  }
  const transport: ControlTransport = {
    follow() {
      const { promise, reject } = Promise.withResolvers<never>()
      open++
      opened++
      let isOpen = true
      const cut = (reason = new Error('cut')) => {
        if (isOpen) open--
        isOpen = false
        reject(reason)
      }
      async function* chunks(): AsyncGenerator<Uint8Array> {
        yield await promise
      }
      return { chunks: chunks(), cut }
    },
    ask: async () => undefined,
    close: () => {},
  }
  const follower = new ControlFollower({
    controls: ['http://one', 'http://other'],
    transport,
    timers,
    hello: () => ({ protocol: 1, name: 'e', instance: 'i', groups: [], addresses: [], version: '0' }),
    logs: new Map(),
    random: () => 0.5,
    onKey: async () => {},
    onAdvanced: () => {},
    onCaughtUp: () => {},
    onProgress: () => {},
    onTrouble: () => {},
  })
  const pass = (isDue: (ms: number) => boolean) => {
    for (const [work, ms] of waiting) {
      if (!isDue(ms)) continue
      waiting.delete(work)
      work()
    }
  }
  return { follower, pass, open: () => open, opened: () => opened }
}

test('a follower that is closed and started at once has one connection', async () => {
  const { follower, pass, open, opened } = stand()
  follower.start()
  await settled()
  follower.close()
  follower.start()
  await settled()
  assert.equal(open(), 1)
  pass((ms) => ms < 1000)
  await settled()
  assert.deepEqual([open(), opened()], [1, 2])
  follower.close()
  await settled()
  pass(() => true)
  await settled()
  assert.equal(open(), 0)
})

test('a connection on which nothing is heard is given up, and the next control plane is tried', async () => {
  const { follower, pass, open, opened } = stand()
  follower.start()
  await settled()
  pass((ms) => ms === SILENCE_MAX_MS)
  await settled()
  assert.equal(open(), 0)
  assert.equal(follower.control, 'http://other')
  pass((ms) => ms < 1000)
  await settled()
  assert.deepEqual([open(), opened()], [1, 2])
  follower.close()
})
