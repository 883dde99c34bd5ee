/** Sends damaged HTTP/2 to a node, on some connections at a time, and says what should not have come of it. */
import { connect } from 'node:net'
import { seededRandom } from '../../src/wire/http1/fuzz/random.ts'
import { makeFrames } from '../../src/wire/http2/frames.fuzz.ts'
import { FRAME, frameHead, PREFACE, settingsFrame } from '../../src/wire/http2/frames.ts'

export interface Http2FuzzOutcome {
  rounds: number
  /** Connections that the edge ended because of what they sent. */
  ended: number
  /** Connections on which a request was answered. */
  answered: number
  /** A seed, and what was wrong. */
  findings: string[]
}

/** With what an honest client would end: the edge answers PING, or has said GOAWAY. */
const LAST = frameHead(8, FRAME.ping, 0, 0) + 'the last'
/** Minutes: a machine may stand still for seconds, and the edge has seconds of its own to let a client go. */
const WITHIN_MS = 240_000
/** Each is mostly waited for: for a machine that has others to serve, or for a client that takes nothing. */
const AT_ONCE = 8

export async function fuzzHttp2(url: string, seed: number, rounds: number): Promise<Http2FuzzOutcome> {
  const outcome: Http2FuzzOutcome = { rounds: 0, ended: 0, answered: 0, findings: [] }
  let next = 0
  const lane = async (): Promise<void> => {
    for (let round = next++; round < rounds; round = next++) {
      const result = await send(url, makeFrames(seededRandom((seed + round) >>> 0)))
      outcome.rounds += 1
      if (result.hasGoaway || result.isClosed) outcome.ended += 1
      if (result.hasHead) outcome.answered += 1
      if (result.problem !== undefined) outcome.findings.push(`seed ${seed + round}: ${result.problem}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  return outcome
}

interface Result {
  hasGoaway: boolean
  hasHead: boolean
  isClosed: boolean
  problem: string | undefined
}

/** Half a frame may be open at the end, which takes PING for its payload: so the client closes, and the edge has to follow. */
function send(url: string, frames: string): Promise<Result> {
  return new Promise((resolve) => {
    const result: Result = { hasGoaway: false, hasHead: false, isClosed: false, problem: undefined }
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    let rest = Buffer.alloc(0)
    const timer = setTimeout(() => {
      result.problem = `the connection stood still for ${WITHIN_MS} ms`
      socket.destroy()
    }, WITHIN_MS)
    socket.on('data', (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes])
      while (rest.length >= 9) {
        const end = 9 + rest.readUIntBE(0, 3)
        if (rest.length < end) return
        const type = rest[3]!
        if (type > FRAME.continuation || type === FRAME.pushPromise || end > 9 + 16_384)
          result.problem ??= `a frame of type ${type} with ${end - 9} bytes came`
        if (type === FRAME.headers) result.hasHead = true
        if (type === FRAME.goaway && rest.readUInt32BE(13) !== 0) result.hasGoaway = true
        rest = rest.subarray(end)
      }
    })
    socket.on('error', () => (result.isClosed = true))
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(result)
    })
    socket.end(Buffer.from(PREFACE + settingsFrame([]) + frames + LAST, 'latin1'))
  })
}
