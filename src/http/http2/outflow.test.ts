import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { FloodGuard } from './flood-guard.ts'
import { Outflow, type Waiting } from './outflow.ts'
import { PeerSettings } from './peer-settings.ts'

test('a stream that fills the socket stands behind those that waited with it', () => {
  const socket = {
    writableLength: 0,
    destroyed: false,
    write(text: string) {
      this.writableLength += text.length
      return false
    },
  }
  const guard = new FloodGuard({ nowMs: 0 })
  const outflow = new Outflow(socket as unknown as Socket, new PeerSettings(), guard, () => {})
  outflow.widen(2 ** 30)
  const turns: string[] = []
  for (const name of ['a', 'b', 'c']) {
    const greedy: Waiting = {
      wake() {
        if (!outflow.isFull) turns.push(name)
        while (!outflow.isFull) outflow.writeData('x'.repeat(16_384), 1, 0)
        outflow.wait(greedy)
      },
    }
    outflow.wait(greedy)
  }
  for (let round = 0; round < 6; round += 1) {
    socket.writableLength = 0
    outflow.pumpAll()
  }
  assert.deepEqual(turns, ['a', 'b', 'c', 'a', 'b', 'c'])
})
