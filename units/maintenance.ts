/**
 * Answers with a maintenance page, and lets those through who work on the site.
 *
 * 503 with `Retry-After` tells crawlers and monitors that this passes (RFC 9110 §15.6.4); nothing of it is kept by caches. Deploy it to
 * close the site, `orla disable maintenance` to open it again.
 *
 * Environment: `UNTIL`, when it is over, as seconds from a request on (`600` where it is not set) or as a date (`2026-12-01T06:00:00Z`). Once that
 * has passed, the site is closed still, and who asks is told to come again in ten minutes. `ALLOW`, addresses
 * with commas between them that see the site. `BYPASS` (a secret): who sends it in the header `x-maintenance-bypass` sees the site.
 * `TITLE` and `MESSAGE`: what the page says.
 */
import type { Unit } from 'orla'

/** In seconds. */
const SOON = '600'

export default {
  // Before all others.
  priority: 1000,
  rewrite(request, response, edge) {
    const { ALLOW = '', BYPASS, UNTIL = SOON } = edge.env
    const isAllowed = ALLOW.split(',').some((entry) => entry.trim() === edge.client.address)
    const hasBypass = !!BYPASS && isSame(request.headers.get('x-maintenance-bypass'), BYPASS)
    request.headers.delete('x-maintenance-bypass')
    if (isAllowed || hasBypass) return
    const headers = {
      'cache-control': 'no-store',
      'retry-after': retryAfter(UNTIL),
    }
    const wantsPage = (request.headers.get('accept') ?? '').includes('text/html')
    return wantsPage
      ? new Response(page(edge.env), {
          status: 503,
          headers: { ...headers, 'content-type': 'text/html; charset=utf-8' },
        })
      : new Response('down for maintenance\n', {
          status: 503,
          headers: { ...headers, 'content-type': 'text/plain' },
        })
  },
} satisfies Unit

/** How long it takes tells nothing about which letters are right. */
function isSame(given: string | null, secret: string): boolean {
  if (given?.length !== secret.length) return false
  let difference = 0
  for (let i = 0; i < secret.length; i++) difference |= given.charCodeAt(i) ^ secret.charCodeAt(i)
  return difference === 0
}

/** Seconds as they are; a date as HTTP writes it, which caches and crawlers read (RFC 9110 §10.2.3). */
function retryAfter(until: string): string {
  if (/^\d+$/.test(until)) return until
  const date = new Date(until)
  if (Number.isNaN(date.getTime()))
    throw new Error(`UNTIL is "${until}"; expected seconds, or a date such as 2026-12-01T06:00:00Z`)
  // A date that has passed would say: come at once, all of you.
  return date.getTime() > Date.now() ? date.toUTCString() : SOON
}

function page({
  TITLE = 'Back soon',
  MESSAGE = 'We are working on this site.',
}: Readonly<Record<string, string | undefined>>) {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(TITLE)}</title>
<style>body { font: 1.2rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 20vh auto; padding: 0 1rem }</style>
<h1>${escaped(TITLE)}</h1>
<p>${escaped(MESSAGE)}</p>
`
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
