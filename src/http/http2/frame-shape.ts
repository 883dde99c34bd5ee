/** What must hold for a frame by itself: whether it speaks of a stream, and how long it is (RFC 9113 §6). */
import { ERROR, FLAG, FRAME } from '../../wire/http2/frames.ts'
import { ConnectionError } from './connection-error.ts'

interface Shape {
  readonly name: string
  /** Undefined where it may speak of either. */
  readonly isOfStream?: boolean
  readonly isLength?: (bytes: number) => boolean
}

const SHAPES: Readonly<Record<number, Shape | undefined>> = {
  [FRAME.data]: { name: 'DATA', isOfStream: true },
  [FRAME.headers]: { name: 'HEADERS', isOfStream: true },
  [FRAME.priority]: { name: 'PRIORITY', isOfStream: true, isLength: (bytes) => bytes === 5 },
  [FRAME.rstStream]: { name: 'RST_STREAM', isOfStream: true, isLength: (bytes) => bytes === 4 },
  [FRAME.settings]: { name: 'SETTINGS', isOfStream: false, isLength: (bytes) => bytes % 6 === 0 },
  [FRAME.ping]: { name: 'PING', isOfStream: false, isLength: (bytes) => bytes === 8 },
  [FRAME.goaway]: { name: 'GOAWAY', isOfStream: false, isLength: (bytes) => bytes >= 8 },
  [FRAME.windowUpdate]: { name: 'WINDOW_UPDATE', isLength: (bytes) => bytes === 4 },
  [FRAME.continuation]: { name: 'CONTINUATION', isOfStream: true },
}

export function checkShape(type: number, flags: number, stream: number, payload: Buffer): void {
  const shape = SHAPES[type]
  if (shape === undefined) return
  const { name, isOfStream, isLength } = shape
  if (isOfStream !== undefined && isOfStream !== (stream !== 0))
    throw new ConnectionError(ERROR.protocol, `${name} ${isOfStream ? 'without' : 'on'} a stream`)
  if (isLength?.(payload.length) === false)
    throw new ConnectionError(ERROR.frameSize, `${name} of another length`)
  if (type === FRAME.settings && (flags & FLAG.ack) !== 0 && payload.length > 0)
    throw new ConnectionError(ERROR.frameSize, 'SETTINGS that acknowledge and set')
}

/** §5.3.1 of RFC 7540: no stream depends on itself. `payload` begins with what it depends on. */
export function checkDependency(stream: number, payload: Buffer): void {
  if ((payload.readUInt32BE(0) & 0x7fff_ffff) === stream)
    throw new ConnectionError(ERROR.protocol, 'stream that depends on itself')
}

/** The payload without its padding (§6.1). */
export function unpadded(flags: number, payload: Buffer): Buffer {
  if ((flags & FLAG.padded) === 0) return payload
  const padding = payload[0]
  if (padding === undefined) throw new ConnectionError(ERROR.frameSize, 'padding without its length')
  if (padding >= payload.length) throw new ConnectionError(ERROR.protocol, 'more padding than payload')
  return payload.subarray(1, payload.length - padding)
}
