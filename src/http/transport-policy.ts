/**
 * What is asked of a request because of how it came in: plain HTTP is sent to HTTPS, HTTPS says that it wants to be kept to, and
 * the questions of an ACME authority are answered before anything else.
 */
import type { RedirectConfig } from '../config/schema.ts'
import type { Exchange } from './exchange.ts'
import { httpDate } from './http-date.ts'

const CHALLENGE_PATH = '/.well-known/acme-challenge/'

/** True where it answered. */
export function applyTransportPolicy(exchange: Exchange): boolean {
  const { connection, node, site, head } = exchange
  const { listener } = connection
  if (exchange.client.scheme === 'https') {
    const hsts = site === undefined || site.hsts === '' ? listener.hsts : site.hsts
    if (hsts !== '') exchange.applyEdits(hsts)
    return false
  }
  if (node.challenges.http.size > 0 && head.path.startsWith(CHALLENGE_PATH)) {
    const answer = node.challenges.http.get(head.path.slice(CHALLENGE_PATH.length))
    if (answer !== undefined) {
      answerChallenge(exchange, answer)
      return true
    }
  }
  const redirect = listener.redirect ?? site?.redirect
  if (redirect === undefined) return false
  answerRedirect(exchange, redirect)
  return true
}

function answerChallenge(exchange: Exchange, text: string): void {
  const fields = `content-type: application/octet-stream\r\ncache-control: no-store\r\ndate: ${httpDate(exchange.node.now())}\r\n`
  exchange.answerWhole({ status: 200, reason: 'OK', fields, source: 'edge' }, text)
}

function answerRedirect(
  exchange: Exchange,
  { port = exchange.node.httpsPort, status }: RedirectConfig,
): void {
  const { head } = exchange
  if (head.host === '') {
    exchange.answerError(400, 'HTTPS is spoken here, and the request names no host to be sent to')
    return
  }
  const authority = port === 443 ? head.host : `${head.host}:${port}`
  const target = head.target === '*' ? '/' : head.target
  exchange.answerError(status, 'HTTPS is spoken here', `location: https://${authority}${target}\r\n`)
}
