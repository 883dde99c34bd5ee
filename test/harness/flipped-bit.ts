/** Damage to a file as a disk does it: one bit is another one, and nothing else of the file tells. */
import { closeSync, openSync, readSync, writeSync } from 'node:fs'

export function flipBit(path: string, at: number): void {
  const file = openSync(path, 'r+')
  const byte = Buffer.alloc(1)
  readSync(file, byte, 0, 1, at)
  byte[0]! ^= 0x10
  writeSync(file, byte, 0, 1, at)
  closeSync(file)
}
