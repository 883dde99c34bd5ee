/** What the web's interfaces call a BufferSource: an `ArrayBuffer`, or a view of a part of one. */
import {
  bufferBytes,
  Bytes,
  dataViewBuffer,
  dataViewBytes,
  dataViewOffset,
  isView,
  typedArrayName,
  viewBuffer,
  viewBytes,
  viewOffset,
} from './primordials.ts'

/** The bytes themselves, not a copy; null where the value is no BufferSource. */
export function bytesOfSource(value: unknown): Uint8Array<ArrayBuffer> | null {
  if (isView(value)) {
    return typedArrayName(value) === undefined
      ? new Bytes(
          dataViewBuffer(value as DataView),
          dataViewOffset(value as DataView),
          dataViewBytes(value as DataView),
        )
      : new Bytes(viewBuffer(value), viewOffset(value), viewBytes(value))
  }
  return isBuffer(value) ? new Bytes(value) : null
}

export function isBuffer(value: unknown): value is ArrayBuffer {
  try {
    bufferBytes(value as ArrayBuffer)
    return true
  } catch {
    return false
  }
}
