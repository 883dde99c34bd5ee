/**
 * The tail as server-sent events: `line` with a log line, `dropped` with how many were lost.
 *
 * Lines wait in a bounded buffer while the client reads slowly; when it is full, new ones are counted instead. So a
 * listener on a bad connection costs a fixed amount of memory, and knows what it missed.
 */
import type { TailLine } from '../contract/messages.ts'
import type { ControlledNode } from './node.ts'

const LINES_MAX = 1000
/** A comment now and then, so that both ends notice a dead connection. */
const KEEP_ALIVE_MS = 15_000

export function tailStream(
  node: Pick<ControlledNode, 'tail'>,
  unit: string | undefined,
  /** Whether the listener may go on. */
  isAllowed: () => boolean,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let waiting: TailLine[] = []
  let dropped = 0
  let wake: (() => void) | undefined
  let leave = () => {}

  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const unsubscribe = node.tail(unit, {
          onLine: (line) => {
            if (waiting.length < LINES_MAX) waiting.push(line)
            else dropped += 1
            wake?.()
          },
          onDropped: (count) => {
            dropped += count
            wake?.()
          },
        })
        const timer = setInterval(() => wake?.(), KEEP_ALIVE_MS)
        leave = () => {
          clearInterval(timer)
          unsubscribe()
          wake?.()
        }
        // Tells the client that from here on nothing is missed.
        controller.enqueue(encoder.encode(': listening\n\n'))
      },
      // Called when the client has taken what was there.
      async pull(controller) {
        if (waiting.length === 0 && dropped === 0) await new Promise<void>((resolve) => (wake = resolve))
        wake = undefined
        if (!isAllowed()) {
          leave()
          controller.close()
          return
        }
        const events = waiting.map((line) => `event: line\ndata: ${JSON.stringify(line)}\n\n`)
        if (dropped > 0) events.push(`event: dropped\ndata: ${JSON.stringify({ count: dropped })}\n\n`)
        waiting = []
        dropped = 0
        controller.enqueue(encoder.encode(events.join('') || ': still here\n\n'))
      },
      cancel: () => leave(),
    },
    { highWaterMark: 1 },
  )
}
