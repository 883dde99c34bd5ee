/**
 * The way of a request, as a table and one short loop.
 *
 *     site → limits → dns → rewrite, access → content → upgrade → cache → origin, originResponse
 *
 * Each stage lets the request go on, or has taken it over: then it answers, or calls `advance` when it is done waiting.
 * A stage whose phase no unit hooks costs one comparison. From an answer the way out is in `exchange.ts`.
 */
import { EdgeError } from '../base/errors.ts'
import { passContentLimits, runContent, runIncoming } from './unit-stage.ts'
import type { Exchange } from './exchange.ts'
import { lookUp } from './cache-stage.ts'
import { answerDoh } from './doh-stage.ts'
import { isLoop } from './forwarding/hop.ts'
import { askLimits } from './limits/limit-stage.ts'
import { maxForwards } from './forwarding/max-forwards.ts'
import { httpDate } from './http-date.ts'
import { OriginFlow } from './origin-flow.ts'
import { applyTransportPolicy } from './transport-policy.ts'
import { upgrade } from './upgrade/upgrade-stage.ts'
import { readWhole } from './whole-body.ts'

/** `next`: the stage after this one. `taken`: it is answered, or will be, or `advance` is called later. */
export type StageVerdict = 'next' | 'taken'

export interface Stage {
  readonly name: string
  /** What happens here, for the reference page. */
  readonly does: string
  run(exchange: Exchange): StageVerdict
}

export const STAGES: readonly Stage[] = [
  {
    name: 'site',
    does: 'finds the site by host and path as received; 404 where there is none, 508 where it has been here before; sends HTTP to HTTPS where that is asked for',
    run: chooseSite,
  },
  {
    name: 'limits',
    does: 'takes from the limits of the site what the request costs; 429 where one of them refuses',
    run: (exchange) => askLimits(exchange, advance),
  },
  {
    name: 'dns',
    does: 'a query of DNS over HTTPS is answered, where the node has a DNS plane',
    run: answerDoh,
  },
  { name: 'rewrite, access', does: 'units change the request, or answer', run: runIncomingUnits },
  { name: 'content', does: 'a unit answers instead of cache and origin', run: runContentUnit },
  { name: 'upgrade', does: 'a WebSocket, or another protocol, passes to the origin', run: upgrade },
  { name: 'cache', does: 'a fresh answer ends here; one request a key goes on', run: lookUp },
  {
    name: 'origin, originResponse',
    does: 'units say what is asked, or answer instead; the origin is asked; units see its answer before it is stored',
    run: askOrigin,
  },
]

/** Moves a request on, from the stage it stands before. */
export function advance(exchange: Exchange): void {
  while (exchange.stage < STAGES.length) {
    const stage = STAGES[exchange.stage]!
    exchange.stage += 1
    if (stage.run(exchange) === 'taken') return
  }
}

function chooseSite(exchange: Exchange): StageVerdict {
  const { head } = exchange
  exchange.site = exchange.node.sites.find(head.host, head.path)
  // RFC 9110 §9.3.7 and §9.3.8: `*`, or no hop left (§7.6.2), asks about the edge itself; TRACE would show others' headers to a script.
  if (head.target === '*' || maxForwards(head) === 0) {
    const fields = `allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\ndate: ${httpDate(exchange.node.now())}\r\n`
    exchange.answerWhole({ status: 204, reason: 'No Content', fields, source: 'edge' }, '')
    return 'taken'
  }
  if (head.method === 'TRACE') {
    exchange.answerError(
      405,
      'TRACE is not passed on',
      'allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n',
    )
    return 'taken'
  }
  if (head.hasForwarding && isLoop(head.headers, exchange.node.loopMark)) {
    const error = new EdgeError('loop-detected', 'it came back to this node')
    exchange.node.warn(`${head.method} ${head.authority}${head.target}: ${error.message}`)
    exchange.answerOriginError(error)
    return 'taken'
  }
  return applyTransportPolicy(exchange) ? 'taken' : 'next'
}

function runIncomingUnits(exchange: Exchange): StageVerdict {
  if (exchange.plan.incoming.length === 0) return 'next'
  runIncoming(exchange, advance)
  return 'taken'
}

function runContentUnit(exchange: Exchange): StageVerdict {
  if (exchange.plan.content.length === 0) return 'next'
  passContentLimits(exchange, (exchange) => {
    if (!exchange.connection.hasBody) runContent(exchange, '', advance)
    else {
      const bytesMax = exchange.node.unitBodyBytes
      const tooLong = `a unit answers here, and reads at most ${bytesMax} bytes`
      readWhole(exchange, bytesMax, tooLong, (body) => runContent(exchange, body, advance))
    }
  })
  return 'taken'
}

function askOrigin(exchange: Exchange): StageVerdict {
  new OriginFlow(exchange, undefined).start()
  return 'taken'
}
