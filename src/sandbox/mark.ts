/**
 * The mark: where a sandbox writes which unit it is about to enter, so that it can be read after its death.
 *
 * A file without a name in shared memory, inherited by the sandbox: one small positional write a crossing (under a
 * microsecond), and it outlives the process that wrote it.
 */
import { closeSync, constants, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Mark {
  readonly seq: number
  /** Undefined: no unit was entered. */
  readonly slot: number | undefined
  readonly isInstall: boolean
  /** CPU time of the sandbox's main thread at the entry, in microseconds. */
  readonly cpuUs: number
}

const BYTES = 24
const IDLE = 0
const STEP = 1
const INSTALL = 2

/** Opens a mark file of its own and takes its name away. */
export function openMark(): number {
  const name = `orla-mark-${process.pid}-${Math.random().toString(36).slice(2)}`
  for (const folder of ['/dev/shm', tmpdir()]) {
    const path = join(folder, name)
    try {
      const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600)
      unlinkSync(path)
      return fd
    } catch {
      // Not every machine has shared memory as a folder.
    }
  }
  throw new Error(
    'no place for a mark file: neither /dev/shm nor the folder for temporary files can be written',
  )
}

export const closeMark = (fd: number): void => closeSync(fd)

export function readMark(fd: number): Mark {
  const bytes = Buffer.alloc(BYTES)
  readSync(fd, bytes, 0, BYTES, 0)
  const kind = bytes.readUInt32LE(8)
  return {
    seq: bytes.readUInt32LE(0),
    slot: kind === IDLE ? undefined : bytes.readUInt32LE(4),
    isInstall: kind === INSTALL,
    cpuUs: bytes.readDoubleLE(16),
  }
}

/** The sandbox's side. */
export class MarkWriter {
  readonly #fd: number
  readonly #bytes = new DataView(new ArrayBuffer(BYTES))

  constructor(fd: number) {
    this.#fd = fd
  }

  enter(seq: number, slot: number, isInstall: boolean, cpuUs: number): void {
    this.#bytes.setUint32(0, seq, true)
    this.#bytes.setUint32(4, slot, true)
    this.#bytes.setUint32(8, isInstall ? INSTALL : STEP, true)
    this.#bytes.setFloat64(16, cpuUs, true)
    writeSync(this.#fd, this.#bytes, 0, BYTES, 0)
  }

  idle(): void {
    this.#bytes.setUint32(8, IDLE, true)
    writeSync(this.#fd, this.#bytes, 0, BYTES, 0)
  }
}
