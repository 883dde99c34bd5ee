/**
 * A POST whose answer is what a GET of the same address would be given (RFC 9110 §9.3.3): it says how long it is good, and by
 * `Content-Location` that it is a representation of that address. It is kept for later GETs; a POST itself always goes to the origin.
 */
import { headerValue, type HeaderList, type RequestHead, type ResponseHead } from '../wire/http1/message.ts'
import { PassJob, type HeadVerdict } from './cache-job.ts'
import { isWholeInKey } from './cache-key.ts'
import type { CacheFill } from './caching/fill.ts'
import { responseControl } from './caching/targeted-control.ts'
import type { Review } from './origin-units.ts'

export class PostJob extends PassJob {
  private fill: CacheFill | undefined

  override onHead(head: ResponseHead, headers: HeaderList, review?: Review): HeadVerdict {
    // First the write: it ends what is stored, and what is being fetched.
    const verdict = super.onHead(head, headers, review)
    const response = review ?? { status: head.status, reason: head.reason, headers }
    if (verdict.kind !== 'pass' || !this.isRepresentation(response)) return verdict
    const { node, site, cacheKey } = this.exchange
    this.fill = site!.cache!.fillAfterPost(cacheKey, asGet(this.head), this.askedMs, this.purgeNumber)
    const decision = this.fill.begin({ ...response, nominated: head.nominated }, node.now())
    return decision.store ? { kind: 'pass', cacheStatus: `${verdict.cacheStatus}; stored` } : verdict
  }

  private isRepresentation({ status, headers }: Pick<Review, 'status' | 'headers'>): boolean {
    const location = headerValue(headers, 'content-location')
    if (status !== 200 || location === undefined || !isWholeInKey(this.exchange)) return false
    const { sMaxAge, maxAge, isTargeted } = responseControl(headers)
    const isExplicit =
      sMaxAge !== undefined ||
      maxAge !== undefined ||
      (!isTargeted && headerValue(headers, 'expires') !== undefined)
    if (!isExplicit) return false
    const base = URL.parse(`${this.exchange.client.keyPrefix}${this.head.authority}${this.head.target}`)
    return base !== null && URL.parse(location, base)?.href === base.href
  }

  override append(chunk: Buffer): boolean {
    return this.fill?.append(chunk) ?? true
  }

  override waitsForDisk(onRelief: () => void): boolean {
    return this.fill?.waitsForDisk(onRelief) ?? false
  }

  override get isFilling(): boolean {
    return this.fill?.isFilling === true
  }

  override finish(): void {
    this.fill?.finish(this.exchange.node.now())
  }

  override abandon(): void {
    this.fill?.abandon()
  }

  override fail(): void {
    this.fill?.abandon()
  }
}

/** The request that its answer would be kept for. */
function asGet(head: RequestHead): RequestHead {
  const headers: string[] = []
  for (let i = 0; i < head.headers.length; i += 2) {
    const name = head.headers[i]!
    if (!name.startsWith('content-') && name !== 'expect') headers.push(name, head.headers[i + 1]!)
  }
  return { ...head, method: 'GET', headers, framing: { kind: 'none' } }
}
