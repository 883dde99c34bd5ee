/**
 * Writes frames to a sandbox. Texts are gathered in buffers that stay, since a fresh one is more than the copy; pieces of bodies go
 * as they are, in the same write.
 */
import type { Socket } from 'node:net'
import { FRAME_HEAD, PREPARE, STEP, writeHead } from './frames.ts'
import type { Batch, Frame } from './lane.ts'

/** A sending with more text than this has a buffer of its own. */
const SCRATCH_BYTES = 256 * 1024

export class FrameWriter {
  #socket: Socket | undefined
  /** What was written before there was a socket. */
  #early: Buffer[] = []
  #free: Buffer[] = []
  /** Of what the kernel did not take at once. */
  #inUse: Buffer[] = []

  open(socket: Socket): void {
    this.#socket = socket
    this.#write(this.#early)
    this.#early = []
  }

  end(): void {
    this.#socket?.end()
  }

  /** `bytes` are the socket's from now on. */
  write(bytes: Buffer): void {
    if (this.#socket) this.#socket.write(bytes)
    else this.#early.push(bytes)
  }

  send(sending: readonly Frame[]): void {
    if (this.#socket?.writableLength === 0) this.#free.push(...this.#inUse.splice(0))
    let length = 0
    for (const { routes, batch } of sending)
      length += FRAME_HEAD + routes.length + tableOf(batch).length + textLength(batch)
    const isScratch = length <= SCRATCH_BYTES && this.#socket !== undefined
    const bytes = isScratch
      ? (this.#free.pop() ?? Buffer.allocUnsafeSlow(SCRATCH_BYTES))
      : Buffer.allocUnsafeSlow(length)
    const parts: Buffer[] = []
    let from = 0
    let at = 0
    for (const { seq, slot, patience, batch, routes, onPrepared } of sending) {
      const table = tableOf(batch)
      const kind = onPrepared ? PREPARE : STEP
      const payload = routes.length + table.length + batchLength(batch)
      writeHead(bytes, at, kind, patience, payload, seq, slot.unit.index, routes.length, table.length)
      at += FRAME_HEAD
      if (routes !== '') at += bytes.write(routes, at, 'latin1')
      if (table !== '') at += bytes.write(table, at, 'latin1')
      if (typeof batch === 'string') {
        if (batch !== '') at += bytes.write(batch, at, 'latin1')
        continue
      }
      for (const part of batch) {
        if (typeof part === 'string') {
          at += bytes.write(part, at, 'latin1')
        } else {
          parts.push(bytes.subarray(from, at), part)
          from = at
        }
      }
    }
    parts.push(bytes.subarray(from, at))
    this.#write(parts)
    if (!isScratch) return
    if (this.#socket?.writableLength === 0) this.#free.push(bytes)
    else this.#inUse.push(bytes)
  }

  #write(parts: readonly Buffer[]): void {
    const socket = this.#socket
    if (parts.length < 2 || socket === undefined) {
      for (const part of parts) this.write(part)
      return
    }
    socket.cork()
    for (const part of parts) socket.write(part)
    socket.uncork()
  }
}

const tableOf = (batch: Batch): string =>
  typeof batch === 'string' ? '' : `${batch.map(({ length }) => length).join(' ')}\n`

function textLength(batch: Batch): number {
  if (typeof batch === 'string') return batch.length
  let length = 0
  for (const part of batch) if (typeof part === 'string') length += part.length
  return length
}

function batchLength(batch: Batch): number {
  if (typeof batch === 'string') return batch.length
  let length = 0
  for (const part of batch) length += part.length
  return length
}
