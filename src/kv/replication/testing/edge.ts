/** An edge in a process of its own, for tests that end it: adds to a counter and says in the same transaction how often, over and over. */
import type { KvUplinkAnswer } from '../../../contract/kv-replication.ts'
import { KV_BUCKETS } from '../../../contract/shared-log.ts'
import type { LogEntry, Position } from '../../../contract/store.ts'
import { systemClock } from '../../../base/clock.ts'
import { openKeeper } from '../../keeper.ts'
import { KvReader } from '../../reader.ts'
import { KV_WORDS } from '../../versions.ts'

export type ToPlane =
  | { readonly kind: 'send'; readonly id: number; readonly batch: unknown }
  | { readonly kind: 'read'; readonly bucket: number; readonly position: Position }
  | { readonly kind: 'made'; readonly count: number }

export type FromPlane =
  | { readonly kind: 'answers'; readonly id: number; readonly answers: readonly KvUplinkAnswer[] }
  | { readonly kind: 'entries'; readonly bucket: number; readonly entries: readonly LogEntry[] }
  | { readonly kind: 'snapshot'; readonly bucket: number; readonly parts: readonly unknown[] }

const tell = (message: ToPlane): void => void process.send!(message)

if (import.meta.main) {
  const path = process.argv[2]!
  const words = new Int32Array(KV_WORDS)
  const waiting = new Map<number, (answers: readonly KvUplinkAnswer[]) => void>()
  let lastId = 0
  const send = (batch: unknown) =>
    new Promise<readonly KvUplinkAnswer[]>((resolve) => {
      waiting.set(++lastId, resolve)
      tell({ kind: 'send', id: lastId, batch })
    })
  const limits = { keysMax: 100, bytesMax: 10_000, keyBytesMax: 64, valueBytesMax: 100 }
  const keeper = openKeeper({ kind: 'edge', uplink: { send } }, { path, words, clock: systemClock, limits })
  const reader = new KvReader({ name: 'kv', path, words, clock: systemClock })
  const intake = keeper.intake!
  process.on('message', (message: FromPlane) => {
    if (message.kind === 'answers') waiting.get(message.id)?.(message.answers)
    else if (message.kind === 'entries') intake.applyEntries(message.bucket, message.entries)
    else
      for (const part of message.parts) intake.load(message.bucket, part as Parameters<typeof intake.load>[1])
  })
  setInterval(() => {
    for (let bucket = 0; bucket < KV_BUCKETS; bucket++)
      tell({ kind: 'read', bucket, position: intake.positions()[bucket]! })
  }, 5)
  const step = (): void => {
    const count = Number(reader.get('u', 'made') ?? 0) + 1
    const value = Buffer.from(String(count))
    const results = keeper.apply(
      [
        { op: 'increment', namespace: 'u', key: 'n', by: 1, ttlMs: 0 },
        { op: 'put', namespace: 'u', key: 'made', value, ttlMs: 0 },
      ],
      true,
    )
    if (results.some((result) => 'code' in result)) throw new Error(JSON.stringify(results))
    tell({ kind: 'made', count })
    setImmediate(step)
  }
  step()
}
