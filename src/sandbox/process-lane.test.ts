/** The lane to a sandbox process, where the process is a script of the test. */
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { unit } from './testing/runner.ts'
import { coreTimes } from '../base/core-time.ts'
import { isolatedVmPath } from './isolated-vm.ts'
import { ProcessLane } from './process-lane.ts'
import { UnitSlot } from './unit-slot.ts'

/** Answers two frames that ask for an isolate, in one write: as where the first was done at once and the second took its time. */
const TWO_AT_ONCE = `
import { Socket } from 'node:net'
const READY = 10, PREPARE = 5, PREPARED = 13
const socket = new Socket({ fd: 3 })
const head = (kind, seq) => {
  const bytes = Buffer.alloc(24)
  bytes.writeUInt32LE(kind, 4)
  bytes.writeUInt32LE(seq, 8)
  return bytes
}
socket.write(head(READY, 0))
let left = Buffer.alloc(0)
socket.on('data', (piece) => {
  left = Buffer.concat([left, piece])
  while (left.length >= 24 && left.length >= 24 + left.readUInt32LE(0)) {
    const isSecond = left[4] === PREPARE && left.readUInt32LE(8) === 2
    if (isSecond) socket.write(Buffer.concat([head(PREPARED, 1), head(PREPARED, 2)]))
    left = left.subarray(24 + left.readUInt32LE(0))
  }
})
socket.on('end', () => process.exit())
`

test('what is told together ran since one look, which is from before the first of it began', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'orla-lane-'))
  chmodSync(folder, 0o755)
  const bundle = join(folder, 'sandbox.mjs')
  writeFileSync(bundle, TWO_AT_ONCE)
  const LOST_MS = 60_000
  const before = coreTimes()
  const cores = { latest: { ...before, atMs: before.atMs - LOST_MS }, look() {} }
  const events = {
    answered() {},
    cut() {},
    // They are on their way. A later look sees nothing of what was lost before.
    active: () => (cores.latest = coreTimes()),
    byId: () => undefined,
  }
  const lane = await new Promise<ProcessLane>((resolve, reject) => {
    const options = {
      bundle,
      isolatedVm: isolatedVmPath(),
      isExact: false,
      guest: '',
      node: { name: '', groups: [] },
      memoryMax: 512 * 1024 * 1024,
      cores,
    }
    const made: ProcessLane = new ProcessLane(
      options,
      events,
      () => resolve(made),
      (_, { errors }) => reject(new Error(errors)),
    )
  })
  t.after(async () => {
    await lane.end()
    rmSync(folder, { recursive: true })
  })
  const lost = await Promise.all(
    [1, 2].map(
      (index) =>
        new Promise<number>((resolve) => {
          lane.prepare(new UnitSlot(index, unit('access() {}'), () => 0.5), () => resolve(lane.lostMs()))
        }),
    ),
  )
  for (const ms of lost) assert.ok(ms > LOST_MS / 2, lost.join())
})
