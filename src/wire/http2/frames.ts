/** Frames of HTTP/2 (RFC 9113 §4 and §6), as text of Latin-1: what is written to a socket in one piece. */

export const FRAME_HEAD_BYTES = 9
/** What we take in one frame, and send: every peer takes as much (§4.2). */
export const FRAME_BYTES_MAX = 16_384
export const WINDOW_MAX = 2 ** 31 - 1
/** What each side may have under way before it is told otherwise (§6.9.2). */
export const DEFAULT_WINDOW = 65_535
export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const FLAG = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const

/** §7. */
export const ERROR = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  connect: 10,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
  http11Required: 13,
} as const

/** The words of errors, for metrics. */
export const ERROR_NAMES: readonly string[] = [
  'none',
  'protocol',
  'internal',
  'flow-control',
  'settings-timeout',
  'stream-closed',
  'frame-size',
  'refused-stream',
  'cancel',
  'compression',
  'connect',
  'enhance-your-calm',
  'inadequate-security',
  'http-1.1-required',
]

export const SETTING = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const

const { fromCharCode } = String

export const word = (value: number): string =>
  fromCharCode((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)

/** The nine bytes before a frame's payload. */
export function frameHead(length: number, type: number, flags: number, stream: number): string {
  return fromCharCode(
    (length >> 16) & 255,
    (length >> 8) & 255,
    length & 255,
    type,
    flags,
    (stream >>> 24) & 127,
    (stream >> 16) & 255,
    (stream >> 8) & 255,
    stream & 255,
  )
}

/** A block of fields in as many frames as it takes. */
export function headersFrames(block: string, stream: number, isEnd: boolean): string {
  const end = isEnd ? FLAG.endStream : 0
  if (block.length <= FRAME_BYTES_MAX)
    return frameHead(block.length, FRAME.headers, end | FLAG.endHeaders, stream) + block
  let text = frameHead(FRAME_BYTES_MAX, FRAME.headers, end, stream) + block.slice(0, FRAME_BYTES_MAX)
  for (let at = FRAME_BYTES_MAX; at < block.length; at += FRAME_BYTES_MAX) {
    const piece = block.slice(at, at + FRAME_BYTES_MAX)
    const isLast = at + FRAME_BYTES_MAX >= block.length
    text += frameHead(piece.length, FRAME.continuation, isLast ? FLAG.endHeaders : 0, stream) + piece
  }
  return text
}

export const rstStreamFrame = (stream: number, code: number): string =>
  frameHead(4, FRAME.rstStream, 0, stream) + word(code)

export const windowUpdateFrame = (stream: number, bytes: number): string =>
  frameHead(4, FRAME.windowUpdate, 0, stream) + word(bytes)

export const goawayFrame = (lastStream: number, code: number): string =>
  frameHead(8, FRAME.goaway, 0, 0) + word(lastStream) + word(code)

/** `[setting, value, …]`. */
export function settingsFrame(settings: readonly number[]): string {
  let payload = ''
  for (let i = 0; i < settings.length; i += 2)
    payload += fromCharCode(settings[i]! >> 8, settings[i]! & 255) + word(settings[i + 1]!)
  return frameHead(payload.length, FRAME.settings, 0, 0) + payload
}

export const SETTINGS_ACK = frameHead(0, FRAME.settings, FLAG.ack, 0)
