/**
 * An answer whose body is a stream: its pieces leave as they come, each when the one before it was taken.
 *
 * Two kinds of calls of the host carry it. The one that opens it is answered when nobody wants the body any more; each piece is a
 * call whose answer says that there is room for the next. So a client that does not read stops the stream being pulled.
 */
import { BODY_BYTES, STREAM_END, STREAM_OPEN, STREAM_PIECE, STREAM_PIECE_MAX } from '../protocol.ts'
import { awaiting } from './awaiting.ts'
import { callError, dropCall, sendCall, type SentCall, sendNotice } from './calls.ts'
import { errorJson } from './errors.ts'
import { logRejection } from './logging.ts'
import { slice } from './primordials.ts'
import { type ByteStream, pieceOf } from './streams.ts'

type Reader = ReturnType<ByteStream['getReader']>

/** For invocation `id`, whose record with the head is written. Never rejects. */
export async function sendStream(id: number, stream: ByteStream): Promise<void> {
  const sending = { isOpen: true }
  awaiting.count++
  let call: SentCall | undefined
  let reader: Reader | undefined
  try {
    call = sendCall(id, STREAM_OPEN, '')
    reader = stream.getReader()
    void cancelWhenUnwanted(id, call, reader, sending)
    while (sending.isOpen) {
      const { done, value } = await reader.read()
      if (done === true) break
      if (!(await sendPiece(id, pieceOf(value), sending))) break
    }
    if (sending.isOpen) sendNotice(id, STREAM_END, '')
  } catch (error) {
    if (sending.isOpen) {
      sendNotice(id, STREAM_END, errorJson(error))
      if (reader !== undefined) void logRejection(id, cancelled(reader, error))
    }
  }
  if (sending.isOpen) {
    sending.isOpen = false
    if (call !== undefined) dropCall(call.number, undefined)
  }
  awaiting.count--
}

/** True where there is room for more. */
async function sendPiece(id: number, bytes: string, sending: { isOpen: boolean }): Promise<boolean> {
  for (let at = 0; at < bytes.length && sending.isOpen; at += STREAM_PIECE_MAX) {
    const piece = slice(bytes, at, at + STREAM_PIECE_MAX)
    const answer = await sendCall(id, STREAM_PIECE, '', piece, BODY_BYTES).answer
    if (!answer.isOk) return false
  }
  return sending.isOpen
}

/** The host says why nobody wants it: the unit's `cancel` is told, and the host when that is done. */
async function cancelWhenUnwanted(
  id: number,
  call: SentCall,
  reader: Reader,
  sending: { isOpen: boolean },
): Promise<void> {
  let head: string
  try {
    head = (await call.answer).head
  } catch {
    // It has ended.
    return
  }
  if (!sending.isOpen) return
  sending.isOpen = false
  await logRejection(id, cancelled(reader, callError(head)))
  sendNotice(id, STREAM_END, '')
}

/** A stream that has failed already cannot be cancelled, and says why once more: that was told. */
async function cancelled(reader: Reader, reason: unknown): Promise<void> {
  try {
    await reader.cancel(reason)
  } catch (error) {
    if (error !== reason) throw error
  }
}
