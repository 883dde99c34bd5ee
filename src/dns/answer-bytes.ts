/** A query in bytes, and its answer in bytes. */
import { DROPPED } from '../contract/dns.ts'
import { RCODE } from '../wire/dns/codes.ts'
import { DnsMessage } from '../wire/dns/message.ts'
import { encodeMessage } from '../wire/dns/message-writer.ts'
import type { AnswerQuery } from './endpoint.ts'
import { type DnsPeer, ServerQuery } from './query.ts'

/** Undefined where nothing is to be sent. */
export async function answerBytes(
  bytes: Buffer,
  peer: DnsPeer,
  answer: AnswerQuery,
): Promise<Buffer | undefined> {
  const query = queryOf(bytes, peer)
  if (!query) return undefined
  const outcome = await answer(query)
  if (outcome === DROPPED || !(outcome instanceof DnsMessage || typeof outcome === 'number')) return undefined
  const [message, written] = encoded(query, outcome)
  query.counts?.answered(query, message.rcode, written.length)
  return written
}

function queryOf(bytes: Buffer, peer: DnsPeer): ServerQuery | undefined {
  try {
    const message = DnsMessage.decode(bytes)
    const [question] = message.question
    if (!question || message.isResponse) return undefined
    const { id, opcode, isRecursionDesired, isCheckingDisabled, edns } = message
    const asked = { ...question, id, opcode, isRecursionDesired, isCheckingDisabled, edns }
    return new ServerQuery(asked, peer, bytes, performance.now())
  } catch {
    return undefined
  }
}

/** What a plugin made of it may be none that can be written. */
function encoded(query: ServerQuery, outcome: DnsMessage | number): readonly [DnsMessage, Buffer] {
  try {
    const message = outcome instanceof DnsMessage ? outcome : query.reply(outcome)
    return [message, encodeMessage(message, query.size())]
  } catch {
    const failed = query.reply(RCODE.SERVFAIL)
    return [failed, encodeMessage(failed, query.size())]
  }
}
