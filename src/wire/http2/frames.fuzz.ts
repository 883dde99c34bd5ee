/**
 * Frames of HTTP/2 as a hostile client might send them: sequences that begin as honest ones and are damaged, from a seed.
 *
 * What is to hold is asked of a running node, by test/faults/http2-fuzz.test.ts and, for as long as is asked, by scripts/fuzz-http2.ts.
 */
import type { Random } from '../http1/fuzz/random.ts'
import { FLAG, FRAME, frameHead, rstStreamFrame, settingsFrame, windowUpdateFrame, word } from './frames.ts'
import { encodeField, encodeFields } from './hpack-encoder.ts'

/** No honest sequence asks for it: where the origin sees it, a request was smuggled. */
export const SMUGGLED = '/smuggled'

const frame = (type: number, flags: number, stream: number, payload: string): string =>
  frameHead(payload.length, type, flags, stream) + payload

/** Frames after the preface: some requests, with whatever else, and with some bytes that are not as they were. */
export function makeFrames(random: Random): string {
  let text = ''
  let stream = 1
  for (let n = 1 + random.below(12); n > 0; n -= 1) {
    const id = random.chance(0.1) ? random.below(8) : stream
    text += damaged(random, makeFrame(random, id))
    if (random.chance(0.6)) stream += 2
  }
  return random.chance(0.2) ? text.slice(0, random.below(text.length + 1)) : text
}

function makeFrame(random: Random, id: number): string {
  switch (random.below(12)) {
    case 0:
      return settingsFrame([1 + random.below(8), random.pick([0, 1, 100, 4096, 16_384, 65_535, 2 ** 31 - 1])])
    case 1:
      return windowUpdateFrame(random.pick([0, id]), random.pick([0, 1, 1000, 2 ** 30, 2 ** 31 - 1]))
    case 2:
      return rstStreamFrame(id, random.below(15))
    case 3:
      return frame(FRAME.ping, random.below(2), 0, 'orla2345')
    case 4:
      return frame(FRAME.priority, 0, id, `${word(random.below(9))}\x10`)
    case 5:
      return frame(random.below(256), random.below(256), id, random.text(random.below(20), 'a\0\xff'))
    case 6:
    case 7:
      return makeData(random, id)
    default:
      return makeHead(random, id)
  }
}

/** A body that would be a request of its own, were it read as HTTP/1.1. */
function makeData(random: Random, id: number): string {
  const text = random.pick(['', 'x', `GET ${SMUGGLED} HTTP/1.1\r\nHost: a.test\r\n\r\n`, '0\r\n\r\n'])
  const isPadded = random.chance(0.2)
  const payload = isPadded ? `\x02${text}\0\0` : text
  return frame(
    FRAME.data,
    (isPadded ? FLAG.padded : 0) | (random.chance(0.5) ? FLAG.endStream : 0),
    id,
    payload,
  )
}

const HOSTILE: readonly (readonly [name: string, value: string])[] = [
  ['x-a', `b\r\n\r\nGET ${SMUGGLED} HTTP/1.1\r\nHost: a.test\r\n\r\n`],
  ['x-a\r\nx-b', 'c'],
  ['transfer-encoding', 'chunked'],
  ['content-length', '0'],
  ['content-length', '5'],
  ['content-length', '5, 6'],
  ['connection', 'x-a'],
  ['host', 'b.test'],
  ['te', 'gzip'],
  ['X-Upper', 'a'],
  ['', 'a'],
  [':path', '/twice'],
  ['expect', '100-continue'],
  ['upgrade', 'h2c'],
]

function makeHead(random: Random, id: number): string {
  const path = random.chance(0.1)
    ? `/ HTTP/1.1\r\nHost: a.test\r\n\r\nGET ${SMUGGLED}`
    : `/${random.text(random.below(5), 'abc%?=/')}`
  const pseudo = [
    [':method', random.pick(['GET', 'POST', 'HEAD', 'CONNECT', 'get', 'OPTIONS'])],
    [':scheme', random.pick(['http', 'https', 'ftp'])],
    [':path', path],
    [':authority', random.pick(['a.test', 'a.test', 'a@b', ''])],
  ] as const
  const fields: string[] = []
  for (const [name, value] of pseudo) if (!random.chance(0.05)) fields.push(name, value)
  if (random.chance(0.4)) fields.push(...random.pick(HOSTILE))
  if (random.chance(0.3)) fields.push('accept', '*/*')
  let block = ''
  for (let i = 0; i < fields.length; i += 2) block += encodeField(fields[i]!, fields[i + 1]!)
  if (random.chance(0.1)) block += encodeFields(['connection', 'dropped', 'x-last', 'y'])
  const end = random.chance(0.6) ? FLAG.endStream : 0
  if (!random.chance(0.2)) return frame(FRAME.headers, end | FLAG.endHeaders, id, block)
  const cut = random.below(block.length + 1)
  return (
    frame(FRAME.headers, end, id, block.slice(0, cut)) +
    frame(FRAME.continuation, FLAG.endHeaders, id, block.slice(cut))
  )
}

/** Mostly as it was: a sequence whose first frame is nonsense tries nothing. */
function damaged(random: Random, text: string): string {
  if (!random.chance(0.15)) return text
  const at = random.below(text.length)
  const byte = String.fromCharCode(random.below(256))
  return text.slice(0, at) + byte + text.slice(at + 1)
}
