/** What a limit over all nodes cannot be: what one node decides in its own memory, and what Redis could not count exactly. */
import { wholeLimits } from './limit-levels.ts'
import type { RateLimitConfig } from './limit-schema.ts'

/** Its scripts count in float64, and multiply a count with milliseconds. */
const PRODUCT_MAX = 2 ** 52

export function clusterThatCannotBe(
  limit: RateLimitConfig,
  say: (key: string, message: string) => void,
): void {
  const { algorithm, mode } = limit
  if (algorithm === 'leaky-queue' || algorithm === 'shaper')
    say(
      'scope',
      `requests that "${algorithm}" lets wait do so in the memory of one node; expected "node", or another \`algorithm\``,
    )
  if (algorithm === 'sliding-log' && mode === 'batched')
    say(
      'mode',
      '"sliding-log" keeps the moment of each request, which a share set aside does not have; expected "exact", or "sliding-window"',
    )
  if (algorithm !== 'sliding-window') return
  for (const { at, count, windowMs } of wholeLimits(limit)) {
    const countMax = Math.floor(PRODUCT_MAX / windowMs)
    if (count > countMax)
      say(at, `is too much for a sliding window in Redis: expected ${countMax} at most, or "token-bucket"`)
  }
}
