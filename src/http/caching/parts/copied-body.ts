/** A body of its own with the bytes of another: where that one lies in pieces, or holds more than it shows. */
import { MemoryFile } from '../../../base/memory-file.ts'
import { FILE_BYTES_MIN } from '../body-gathering.ts'
import { StoredBody } from '../stored-body.ts'

/** More is not read at once. */
const PIECE_BYTES = 1024 * 1024

export function copiedBody(body: StoredBody): StoredBody {
  const { length } = body
  const file = length < FILE_BYTES_MIN ? undefined : MemoryFile.create()
  if (file === undefined) return new StoredBody(Buffer.from(body.read(0, length)))
  for (let at = 0; at < length; at += PIECE_BYTES) {
    if (file.append(body.read(at, Math.min(length, at + PIECE_BYTES)))) continue
    file.close()
    return new StoredBody(Buffer.from(body.read(0, length)))
  }
  return new StoredBody(file)
}
