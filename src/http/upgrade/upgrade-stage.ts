/** The place of upgrades on the way of a request: after units, before the cache, which has no part in them. */
import { ERROR_CODES } from '../../base/error-codes.ts'
import { readUpgrade, WEBSOCKET_VERSION } from '../../wire/http1/upgrade.ts'
import type { Exchange } from '../exchange.ts'
import type { StageVerdict } from '../stages.ts'
import { answerFull, UpgradeFlow } from './upgrade-flow.ts'

/** RFC 9110 §15.5.22 and RFC 6455 §4.2.2: what would be spoken instead. */
const VERSION_FIELDS = `upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: ${WEBSOCKET_VERSION}\r\n`

export function upgrade(exchange: Exchange): StageVerdict {
  const { head, site, node } = exchange
  if (head.upgrade === undefined || site?.upgrades !== true) return 'next'
  if (exchange.connection.switchProtocols === undefined) return 'next'
  const asked = readUpgrade(head, exchange.method)
  if (asked.kind === 'ignored') return 'next'
  if (asked.kind === 'refused')
    exchange.answerError(asked.status, asked.reason, asked.status === 426 ? VERSION_FIELDS : '')
  else if (node.isDraining) exchange.answerError(503, ERROR_CODES.draining.title)
  else if (!node.upgrades.admits()) answerFull(exchange)
  else new UpgradeFlow(exchange, asked.protocols).start()
  return 'taken'
}
