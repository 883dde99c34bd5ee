/** Workers and the packet plane are told what stands, changes of a moment together. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { BanChange, BanSet } from '../../contract/bans.ts'
import type { ToWorker } from '../../contract/messages.ts'
import { BanTelling } from './ban-telling.ts'
import { TestClock } from './bans.support.ts'
import type { ToldWorker } from '../workers/told-worker.ts'

function tellingFor() {
  const clock = new TestClock()
  const told: (BanSet | BanChange)[] = []
  const sunk: unknown[] = []
  const standing = { bans: ['192.0.2.7'] as readonly string[], never: ['127.0.0.0/8'] as readonly string[] }
  let gate = Promise.resolve()
  const worker: ToldWorker = {
    phase: 'ready',
    async ask(message: ToWorker) {
      if (message.kind !== 'bans') throw new Error(message.kind)
      told.push(message.set)
      await gate
      return { kind: 'bansUsed', id: message.id } as never
    },
  }
  const gone: ToldWorker = { phase: 'gone', ask: () => Promise.reject(new Error('it has ended')) }
  const telling = new BanTelling({ clock, timers: clock, workers: () => [worker, gone], set: () => standing })
  const sink = {
    replace: (all: BanSet) => void sunk.push(['replace', all.bans, all.never]),
    add: (prefixes: readonly string[]) => void sunk.push(['add', prefixes]),
    remove: (prefixes: readonly string[]) => void sunk.push(['remove', prefixes]),
  }
  const hold = () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    gate = promise
    return resolve
  }
  return { clock, telling, told, sunk, sink, standing, hold }
}

test('the first change is told at once, and those of the next moment together, each prefix as it stands in the end', async () => {
  const { clock, telling, told } = tellingFor()
  telling.changed({ added: ['192.0.2.8'], removed: [] })
  await telling.told()
  assert.deepEqual(told, [{ added: ['192.0.2.8'], removed: [] }])
  telling.changed({ added: ['192.0.2.9', '192.0.2.10'], removed: ['192.0.2.8'] })
  telling.changed({ added: ['192.0.2.8'], removed: ['192.0.2.9'] })
  await setImmediate()
  assert.equal(told.length, 1)
  clock.pass(50)
  await telling.told()
  assert.deepEqual(told.slice(1), [{ added: ['192.0.2.8', '192.0.2.10'], removed: ['192.0.2.9'] }])
})

test('whoever waits is told when every worker that is there has it', async () => {
  const { telling, hold } = tellingFor()
  const answer = hold()
  telling.changed({ added: ['192.0.2.8'], removed: [] })
  let isTold = false
  const waiting = telling.told().then(() => (isTold = true))
  await setImmediate()
  assert.equal(isTold, false)
  answer()
  await waiting
})

test('the packet plane is given all that stands, then changes, and all of it anew when what is never banned changes', async () => {
  const { clock, telling, sunk, sink, standing, told } = tellingFor()
  telling.enforceBy(sink)
  telling.changed({ added: ['192.0.2.8'], removed: ['192.0.2.7'] })
  await telling.told()
  standing.bans = ['192.0.2.8']
  standing.never = ['127.0.0.0/8', '192.0.2.0/25']
  telling.neverChanged()
  clock.pass(50)
  await telling.told()
  assert.deepEqual(sunk, [
    ['replace', ['192.0.2.7'], ['127.0.0.0/8']],
    ['remove', ['192.0.2.7']],
    ['add', ['192.0.2.8']],
    ['replace', ['192.0.2.8'], ['127.0.0.0/8', '192.0.2.0/25']],
  ])
  assert.deepEqual(told.at(-1), { added: [], removed: [], never: ['127.0.0.0/8', '192.0.2.0/25'] })
})
