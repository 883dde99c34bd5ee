/** Fetches what others wait for as well. */
import type { FillJob } from './cache-job.ts'
import type { CacheFill } from './caching/fill.ts'
import type { Exchange } from './exchange.ts'
import { OriginFlow } from './origin-flow.ts'

export function lead(exchange: Exchange, _fill: CacheFill, job: FillJob): void {
  const flow = new OriginFlow(exchange, job)
  if (exchange.gone) flow.startDetached()
  else flow.start()
}
