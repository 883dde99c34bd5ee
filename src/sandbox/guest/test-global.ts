/** `orlaTest`: how the tests of a unit ask for it to be run. In their isolates alone; see `unit/suite/suite.ts`. */
import { BODY_BYTES } from '../protocol.ts'
import { callError, sendCall } from './calls.ts'
import { runningId } from './logging.ts'
import { defineProperty } from './primordials.ts'
import { bytesOfLatin1, latin1OfBytes } from './utf8.ts'

export function installTestGlobal(): void {
  defineProperty(globalThis, 'orlaTest', { value: ask })
}

async function ask(head: string, body: Uint8Array): Promise<{ head: string; body: Uint8Array }> {
  const answer = await sendCall(runningId(), 'test.ask', head, latin1OfBytes(body), BODY_BYTES).answer
  if (!answer.isOk) throw callError(answer.head)
  return { head: answer.head, body: bytesOfLatin1(answer.body) }
}
