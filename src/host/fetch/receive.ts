/**
 * One answer: told when its head is there. A body that came with it is whole; any other goes on, and is read from then on.
 *
 * Most answers are small and come in one piece with their heads: those cost a unit no more than the call.
 */
import type { OriginCall, OriginHandler } from '../../contract/origin.ts'
import { withoutFields, type HeaderList, type ResponseHead } from '../../wire/http1/message.ts'
import { endToEndHeaders } from '../../wire/http1/serialise.ts'
import { AnswerBody, HELD_MAX, type AnswerBodyOptions } from './answer-body.ts'
import { codingOf, decodeWhole } from './decoding.ts'

/** A body that grows beyond this when it is decoded is no small one. */
const DECODED_MAX = 1024 * 1024

export interface Received {
  readonly status: number
  readonly reason: string
  readonly headers: HeaderList
  readonly body: Buffer | AnswerBody
}

export interface Receiving {
  readonly answer: Promise<Received>
  abort(): void
}

export function receive(
  isDecoded: boolean,
  options: Omit<AnswerBodyOptions, 'call' | 'coding'>,
  send: (handler: OriginHandler) => OriginCall,
): Receiving {
  const { promise, resolve, reject } = Promise.withResolvers<Received>()
  /** What came together with the head. */
  const early: Buffer[] = []
  let earlyBytes = 0
  let isWhole = false
  /** It failed, or nobody waits for it any more. */
  let isOver = false
  let body: AnswerBody | undefined
  const call = send({
    onHead(head) {
      // After what else is there: the reader is through with what came from the socket then.
      setImmediate(() => void arrive(head).catch(reject))
    },
    onData(chunk) {
      const piece = Buffer.from(chunk)
      if (body) return body.push(piece)
      early.push(piece)
      earlyBytes += piece.length
      return earlyBytes < HELD_MAX
    },
    onEnd() {
      isWhole = true
      body?.end()
    },
    onError(error) {
      isOver = true
      if (body) body.fail(error)
      else reject(error)
    },
    onDrain() {},
  })

  async function arrive({ status, reason, headers: all, nominated }: ResponseHead): Promise<void> {
    if (isOver) return
    const headers = endToEndHeaders(all, nominated)
    const coding = isDecoded ? codingOf(headers) : undefined
    if (isWhole && (coding === undefined || earlyBytes === 0)) {
      resolve({ status, reason, headers, body: Buffer.concat(early) })
      return
    }
    const received = { status, reason, headers: coding === undefined ? headers : unpacked(headers) }
    if (isWhole) {
      const bytes = await decodeWhole(Buffer.concat(early), coding!, DECODED_MAX)
      if (bytes) {
        resolve({ ...received, body: bytes })
        return
      }
    }
    if (!isOver) resolve({ ...received, body: goOn(coding) })
  }

  function goOn(coding: string | undefined): AnswerBody {
    const goesOn = new AnswerBody({ ...options, call, coding })
    const wasPaused = earlyBytes >= HELD_MAX
    let hasRoom = true
    for (const piece of early) hasRoom = goesOn.push(piece)
    body = goesOn
    if (isWhole) goesOn.end()
    else if (wasPaused && hasRoom) call.resume()
    return goesOn
  }

  return {
    answer: promise,
    abort() {
      isOver = true
      call.abort()
      reject(new Error('it was given up'))
    },
  }
}

const unpacked = (headers: HeaderList): HeaderList =>
  withoutFields(headers, (name) => name === 'content-encoding' || name === 'content-length')
